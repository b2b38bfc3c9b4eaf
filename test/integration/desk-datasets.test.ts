import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createDatasetCopies, readWhole } from "../support/dataset-copy.ts";
import type { DatasetCopy, Table } from "../support/dataset-copy.ts";
import type { DeskStand } from "../support/desk.ts";
import { openDeskStand } from "../support/desk.ts";
import { acts, createTraffic } from "../support/desk-traffic.ts";
import { deskDatasets } from "../../src/desk/dataset.ts";
import { formatPlace, parsePlace } from "../../src/desk/dataset-place.ts";

let stand: DeskStand;

beforeAll(async () => {
  stand = await openDeskStand();
});
afterAll(() => stand.close());

const newTicket = { subject: "Late", requester: { email: "ada@example.com" } };

const rowsOf = (table: Table): Readonly<Record<string, unknown>> => Object.fromEntries(table);

/** What a transaction of anybody else holds back is in the feed a little later. */
const patience = { timeout: 10_000, interval: 5 };

/** The copy is what one read from the beginning has, and what a read of all days has; returns how many rows that are. */
async function expectExact(copy: DatasetCopy): Promise<number> {
  const { dataset, table } = copy;
  const whole = rowsOf(await readWhole(stand, dataset));
  const caughtUp = async (): Promise<unknown> => {
    await copy.catchUp(3);
    return [dataset, rowsOf(table)];
  };
  await expect.poll(caughtUp, patience).toEqual([dataset, whole]);
  const days = await readWhole(stand, dataset, { from: "2026-01-01", until: "2100-01-01", limit: 7 });
  expect([dataset, rowsOf(days)]).toEqual([dataset, whole]);
  return table.size;
}

describe("datasets", () => {
  it(
    "that are brought up to date now and then are what one read has, whatever happened",
    { timeout: 300_000 },
    async () => {
      let compared = 0;
      const traffic = createTraffic(stand);
      const reads = fc.record({ limit: fc.constantFrom(1, 2, 3, 10, 50_000), odds: fc.nat(3) });
      await fc.assert(
        fc.asyncProperty(fc.array(fc.tuple(acts, reads), { minLength: 20, maxLength: 80 }), async (steps) => {
          const copies = createDatasetCopies(stand);
          for (const [act, { limit, odds }] of steps) {
            await act(traffic);
            // Some only a page of it: the rest is read after what happens next.
            if (odds === 0) for (const copy of copies) await copy.catchUp(limit);
            if (odds === 1) for (const copy of copies) await copy.step(limit);
          }
          for (const copy of copies) compared += await expectExact(copy);
        }),
        { numRuns: 5, endOnFailure: true },
      );
      expect(compared).toBeGreaterThan(500);
      expect(traffic.count()).toBeGreaterThan(90);
    },
  );

  it("that are read while others write are what one read has afterwards", { timeout: 120_000 }, async () => {
    const traffic = createTraffic(stand);
    const copies = createDatasetCopies(stand);
    const writers = [1, 2, 3, 4].map(async (seed) => {
      for (const act of fc.sample(acts, { numRuns: 60, seed })) await act(traffic);
    });
    const state = { isOver: false };
    const written = Promise.all(writers).finally(() => (state.isOver = true));
    let pages = 0;
    while (!state.isOver) for (const copy of copies) pages += await copy.catchUp(5);
    await written;
    expect(pages).toBeGreaterThan(20);
    let compared = 0;
    for (const copy of copies) compared += await expectExact(copy);
    expect(compared).toBeGreaterThan(200);
  });

  it("have what changed without a change of its own: moved refs, moved messages, words erased elsewhere", async () => {
    const traffic = createTraffic(stand);
    const make = async (method: "POST" | "PUT", path: string, body: object): Promise<string> => {
      const made = await traffic.call(method, path, body);
      return (made as { readonly id: string }).id;
    };
    const report = { ...newTicket, message: { text: "Where is it?" }, repeat: { closed: "follow_up" } };
    const first = await make("PUT", "/v1/tickets/by-ref/shop/derived", report);
    await traffic.call("PATCH", `/v1/tickets/${first}`, { status: "closed" });
    const orders = [{ source: "shop", external_id: "derived" }];
    const [one, other] = [
      await make("POST", "/v1/tickets", { ...newTicket, orders, message: { text: "One" } }),
      await make("POST", "/v1/tickets", { ...newTicket, message: { text: "Other" } }),
    ];
    const zoe = await make("POST", "/v1/contacts", { name: "Zoe Zebra", email: "zoe@example.com" });
    const said = { text: "I am Zoe", direction: "inbound", author: { type: "contact", id: zoe } };
    await traffic.call("POST", `/v1/tickets/${other}/messages`, said);
    await make("POST", "/v1/tickets", { subject: "Zoe's", requester: { email: "zoe@example.com" } });
    const happenings: readonly (() => Promise<unknown>)[] = [
      () => make("PUT", "/v1/tickets/by-ref/shop/derived", report),
      () => make("POST", `/v1/tickets/${one}/merge`, { into: other }),
      () => traffic.call("DELETE", `/v1/contacts/${zoe}`),
    ];
    const copies = createDatasetCopies(stand);
    for (const happen of happenings) {
      for (const copy of copies) await expectExact(copy);
      const before = traffic.count();
      await happen();
      expect(traffic.count()).toBe(before + 1);
      for (const copy of copies) await expectExact(copy);
    }
    const erased = await stand.send({ method: "GET", path: `/v1/tickets/${other}/history?limit=200` });
    expect(erased.text).toContain("messages_erased");
  });

  it("of figures go on into the next days, for everything that is open", async () => {
    const [copy] = createDatasetCopies(stand).filter(({ dataset }) => dataset === "metrics_daily");
    if (copy === undefined) throw new Error("metrics_daily is not there");
    await stand.send({ method: "POST", path: "/v1/tickets", body: newTicket });
    const whole = rowsOf(await readWhole(stand, "metrics_daily"));
    const answer = await stand.send({ method: "GET", path: "/v1/datasets/metrics_daily" });
    const place = parsePlace("metrics_daily", answer.headers["deskbridge-next-cursor"] ?? "");
    if (place.kind !== "figures" || place.since === undefined) throw new Error("the cursor is of no figures");
    const { batch, day } = place.since;
    // As of the day before yesterday: the rows of today are those of a new day.
    const after = formatPlace("metrics_daily", { kind: "figures", since: { batch, day: day - 2 } });
    const page = await stand.send({ method: "GET", path: `/v1/datasets/metrics_daily?after=${after}` });
    const today = new Date(day * 86_400_000).toISOString().slice(0, 10);
    const rows = page.text.split("\n").filter((line) => line.startsWith(today));
    expect(rows).toHaveLength(Object.keys(whole).filter((name) => name.includes(today)).length);
    expect([page.headers["deskbridge-part"], rows.length > 3]).toEqual(["upsert", true]);
  });
});

describe("a read of a dataset", () => {
  it("with nothing new costs a few statements and no rows", async () => {
    for (const copy of createDatasetCopies(stand)) {
      await copy.catchUp();
      const { headers } = await stand.send({ method: "GET", path: `/v1/datasets/${copy.dataset}` });
      const path = `/v1/datasets/${copy.dataset}?after=${headers["deskbridge-next-cursor"] ?? ""}`;
      const again = await stand.send({ method: "GET", path });
      expect([again.status, again.text, again.headers["deskbridge-has-more"]]).toEqual([200, "", "false"]);
    }
  });

  it("has the columns that are asked for, in that order, and of deletions those of the key", async () => {
    const made = await stand.send({
      method: "POST",
      path: "/v1/contacts",
      body: { name: "Eve", email: "eve@x.example" },
    });
    const { id } = made.json as { readonly id: string };
    const first = await stand.send({
      method: "GET",
      path: "/v1/datasets/contacts?columns=name,id,created_at",
    });
    expect(first.text).toMatch(new RegExp(`^Eve,${id},\\d{4}-`, "m"));
    await stand.send({ method: "DELETE", path: `/v1/contacts/${id}` });
    const gone = async (): Promise<unknown> => {
      const after = first.headers["deskbridge-next-cursor"] ?? "";
      const page = await stand.send({
        method: "GET",
        path: `/v1/datasets/contacts?columns=name,id&after=${after}`,
      });
      return [page.headers["deskbridge-part"], page.text];
    };
    await expect.poll(gone, patience).toEqual(["delete", `${id}\n`]);
  });

  it("takes the scope of its objects", async () => {
    const { key } = await stand.desk.keys.create("lake", ["contacts:read"]);
    const statuses = await Promise.all(
      deskDatasets.map(async (dataset) => {
        const headers = { authorization: `Bearer ${key}` };
        const answer = await stand.send({ method: "GET", path: `/v1/datasets/${dataset}`, headers });
        return [dataset, answer.status];
      }),
    );
    expect(Object.fromEntries(statuses)).toEqual(
      Object.fromEntries(deskDatasets.map((dataset) => [dataset, dataset === "contacts" ? 200 : 403])),
    );
  });

  it.each([
    ["of an unknown dataset", "customers", 404, "there are tickets, messages"],
    ["of what only the worker knows", "deliveries", 404, "there is no dataset of this name"],
    ["of an unknown column", "tickets?columns=id,sbject", 400, "did you mean subject?"],
    ["of a column twice", "tickets?columns=id,id", 400, "names a column twice"],
    ["of no columns", "tickets?columns=", 400, "columns"],
    ["from a cursor that is none", "tickets?after=xyz", 400, "not a cursor of this dataset"],
    ["from one day on", "tickets?from=2026-01-01", 400, "from and until go together"],
    ["from a day to the day before", "tickets?from=2026-01-02&until=2026-01-01", 400, "must be after from"],
    ["from a day to the same day", "tickets?from=2026-01-02&until=2026-01-02", 400, "must be after from"],
    ["from a day that does not exist", "tickets?from=2026-02-30&until=2026-03-01", 400, "from"],
    ["of too large pages", "tickets?limit=1000000", 400, "limit"],
    ["of empty pages", "tickets?limit=0", 400, "limit"],
    ["with something that is not known", "tickets?since=1", 400, "is not known here"],
  ])("%s is refused", async (_what, path, status, words) => {
    const answer = await stand.send({ method: "GET", path: `/v1/datasets/${path}` });
    expect([answer.status, answer.text]).toEqual([status, expect.stringContaining(words)]);
  });

  it("from a cursor of another dataset, or from a cursor and a day, is refused", async () => {
    const { headers } = await stand.send({ method: "GET", path: "/v1/datasets/tickets" });
    const cursor = headers["deskbridge-next-cursor"] ?? "";
    for (const path of [
      `messages?after=${cursor}`,
      `tickets?after=${cursor}&from=2026-01-01&until=2026-02-01`,
    ]) {
      const answer = await stand.send({ method: "GET", path: `/v1/datasets/${path}` });
      expect([path, answer.status]).toEqual([path, 400]);
    }
  });
});
