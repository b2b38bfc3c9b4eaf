import { afterEach, expect, it } from "vitest";
import connector from "../../connectors/gorgias/index.ts";
import type { DatasetName, Row } from "../../src/sdk/index.ts";
import { datasetCatalogue } from "../../src/sdk/index.ts";
import { createTestContext } from "../../src/sdk/testing/index.ts";
import { createCustomer } from "../support/gorgias-customers.ts";
import type { GorgiasStub } from "../support/gorgias-stub.ts";
import { openGorgiasStub } from "../support/gorgias-stub.ts";

const start = Date.parse("2026-11-22T10:00:00Z");
const closers: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function open(settings: object = {}) {
  const clock = { now: start };
  const now = (): number => clock.now;
  const stub = await openGorgiasStub({ now, pageSize: 4 });
  const context = createTestContext({ now });
  const auth = { method: "key", email: "kim@example.com", apiKey: "key" };
  const config = connector.config.parse({ account: "acme", auth, url: stub.url, ...settings });
  const { datasets } = await connector.open(config, context);
  closers.push(context.close, stub.close);
  const read = async (dataset: DatasetName, after?: string) => {
    const rows: Row[] = [];
    let watermark = "";
    const { signal } = new AbortController();
    const columns = datasetCatalogue[dataset].columns.map(({ name }) => name);
    for await (const page of datasets?.read({ dataset, columns, after, signal }) ?? []) {
      for await (const { batch } of page.changes) rows.push(...batch.rows());
      ({ watermark } = page);
    }
    return { rows, watermark };
  };
  return { stub, clock, read };
}

function makeCustomers({ state }: GorgiasStub, count: number): void {
  for (let index = 0; index < count; index += 1) createCustomer(state, { email: `ada-${index}@example.com` });
}

it("a list is read down to where the last read began, and no further", async () => {
  const { stub, clock, read } = await open();
  makeCustomers(stub, 30);
  clock.now += 3_600_000;
  const { watermark } = await read("contacts");
  clock.now += 3_600_000;
  makeCustomers(stub, 2);
  stub.calls.length = 0;
  const { rows } = await read("contacts", watermark);
  expect(rows.length).toBeLessThanOrEqual(4);
  expect(stub.calls).toHaveLength(1);
});

it("a list that does not come in the order that was asked for is read whole", async () => {
  const { stub, clock, read } = await open();
  stub.behaviour.ordersCustomers = false;
  makeCustomers(stub, 30);
  const { watermark } = await read("contacts");
  clock.now += 3_600_000;
  const [first] = stub.state.customers.values();
  if (first !== undefined) Object.assign(first, { name: "Ada", updated_datetime: stub.state.timestamp() });
  const { rows } = await read("contacts", watermark);
  expect(rows).toContainEqual(expect.objectContaining({ id: String(first?.id), name: "Ada" }));
});

it("a ticket has the fields of the account by name, its agent, and its priority as everywhere else", async () => {
  const { stub, read } = await open({ customFields: { reason: 7 } });
  const ticket = {
    subject: "Help",
    status: "closed",
    priority: "critical",
    external_id: "order:1",
    tags: [{ name: "late" }],
    custom_fields: { "7": { id: 7, value: "damage" }, "8": { id: 8, value: 3 }, "9": { id: 9, value: null } },
    closed_datetime: "2026-11-22T09:30:00.120000",
    channel: "email",
    assignee_user: { id: 5, email: "kim@example.com", name: "Kim" },
    meta: { deskbridge: { follow_up_of: 77 } },
  };
  const { id, customer } = stub.addTicket({ at: start - 60_000, ...ticket });
  const { rows } = await read("tickets");
  expect(rows).toMatchObject([
    {
      id: String(id),
      status: "closed",
      priority: "urgent",
      channel: "email",
      requester_id: String(customer.id),
      assignee: "kim@example.com",
      tags: ["late"],
      custom_fields: { reason: "damage", "8": 3 },
      refs: [{ source: "external_id", external_id: "order:1" }],
      reason: "damage",
      csat_score: null,
      follow_up_of: "77",
      closed_at: "2026-11-22T09:30:00.12Z",
    },
  ]);
});

it("a watermark of something else is refused", async () => {
  const { read } = await open();
  await expect(read("tickets", "yesterday")).rejects.toMatchObject({ code: "target_rejected" });
});
