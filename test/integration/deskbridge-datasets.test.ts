import type pg from "pg";
import { afterAll, beforeAll, expect, it } from "vitest";
import connector from "../../connectors/deskbridge/index.ts";
import type { Connection, DatasetName } from "../../src/sdk/index.ts";
import type { DatasetFixture } from "../../src/sdk/testing/index.ts";
import { createTestContext, testDatasetSource } from "../../src/sdk/testing/index.ts";
import type { DeskRequest, DeskStand } from "../support/desk.ts";
import { openDeskStand } from "../support/desk.ts";

type Part = Omit<DatasetFixture, "source" | "setNow" | "close">;
type Call = (method: DeskRequest["method"], path: string, body?: unknown) => Promise<unknown>;

let stand: DeskStand;
let base: string;
let database: pg.Client;

beforeAll(async () => {
  stand = await openDeskStand();
  // The suite wants several pages of a dozen rows.
  stand.server.server.prependListener("request", (request) => {
    if (request.url?.startsWith("/v1/datasets/") === true) request.url += "&limit=4";
  });
  base = await stand.listen();
  database = await stand.connect();
});
afterAll(() => stand.close());

const call: Call = async (method, path, body) => {
  const answer = await stand.send({ method, path, ...(body === undefined ? {} : { body }) });
  if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
  return answer.json;
};

const idOf = async (made: Promise<unknown>): Promise<string> => ((await made) as { readonly id: string }).id;

const newTicket = { subject: "Late", requester: { email: "ada@example.com" } };

let count = 0;
const openTicket = (facts: object = {}): Promise<string> =>
  idOf(call("POST", "/v1/tickets", { ...newTicket, ...facts }));

const mergeAway = async (id: string): Promise<void> => {
  await call("POST", `/v1/tickets/${id}/merge`, { into: await openTicket() });
};

/** Whether the feed shows everything: a transaction of anybody else's may hold it back. */
async function isSettled(): Promise<boolean> {
  const { rows } = await database.query<{ settled: boolean }>(
    `select not exists (
      select from change where tx >= pg_snapshot_xmin(pg_current_snapshot())::text::bigint + (select value from feed_offset)
    ) as settled`,
  );
  return rows[0]?.settled === true;
}

/** What is done to the rows of each dataset. */
const acts: Partial<Record<DatasetName, () => Part>> = {
  tickets: () => ({
    create: () => openTicket({ tags: ["late"] }),
    change: async (id) => void (await call("PATCH", `/v1/tickets/${id}`, { status: "solved" })),
  }),
  messages: () => ({
    create: async () => {
      const path = `/v1/tickets/${await openTicket()}/messages`;
      return idOf(call("POST", path, { text: 'I said "no",\nthen.' }));
    },
    // The only way for a message to change is that its ticket is merged, or somebody is erased.
    change: async (id) => {
      const { rows } = await database.query<{ ticket: string }>(
        "select ticket from message where 'msg_' || id = $1",
        [id],
      );
      await mergeAway(`tkt_${rows[0]?.ticket ?? ""}`);
    },
  }),
  contacts: () => ({
    create: () => idOf(call("POST", "/v1/contacts", { email: `ada-${(count += 1)}@example.com` })),
    change: async (id) => void (await call("PATCH", `/v1/contacts/${id}`, { name: "Ada" })),
    remove: async (id) => void (await call("DELETE", `/v1/contacts/${id}`)),
  }),
  orders: () => ({
    create: () => idOf(call("PUT", `/v1/orders/by-ref/shop/${(count += 1)}`, { status: "paid" })),
    change: async (id) => {
      const { external_id: ref } = (await call("GET", `/v1/orders/${id}`)) as {
        readonly external_id: string;
      };
      await call("PUT", `/v1/orders/by-ref/shop/${ref}`, { status: "sent" });
    },
  }),
  ticket_orders: () => ({
    create: () => openTicket({ orders: [{ source: "shop", external_id: "1001" }] }),
    remove: mergeAway,
  }),
  ticket_events: () => ({
    create: async () => {
      const path = `/v1/tickets/${await openTicket()}/history`;
      const { data } = (await call("GET", path)) as { readonly data: readonly { readonly id: string }[] };
      await expect.poll(isSettled, { timeout: 10_000, interval: 5 }).toBe(true);
      return data[0]?.id ?? "";
    },
  }),
  ticket_metrics: () => ({
    create: () => openTicket(),
    change: async (id) => void (await call("POST", `/v1/tickets/${id}/csat`, { score: 5 })),
    remove: mergeAway,
  }),
};

/** Everything that the datasets are made of. */
const tables =
  "ticket, ticket_tag, ticket_ref, ticket_order, ticket_subject, ticket_contact, ticket_metric, ticket_csat, message, contact, contact_identity, sales_order, order_state, change";

async function open(settings: object = {}): Promise<{ connection: Connection; close: () => void }> {
  const context = createTestContext({ connection: "desk" });
  const config = connector.config.parse({ url: base, apiKey: stand.adminKey, ...settings });
  return { connection: await connector.open(config, context), close: context.close };
}

for (const [dataset, act] of Object.entries(acts) as [DatasetName, () => Part][]) {
  testDatasetSource({
    name: "deskbridge",
    dataset,
    open: async () => {
      await database.query(`truncate ${tables}`);
      const { connection, close } = await open();
      if (connection.datasets === undefined) throw new Error("the connector gives no datasets");
      return { source: connection.datasets, ...act(), close };
    },
  });
}

it("every dataset of deskbridge is held to the suite, or to a count of its own", async () => {
  const { connection, close } = await open();
  // The figures by day are held to counting tickets one by one.
  const held = [...Object.keys(acts), "metrics_daily"];
  expect(held.toSorted()).toEqual([...(connection.datasets?.datasets ?? [])].toSorted());
  close();
});
