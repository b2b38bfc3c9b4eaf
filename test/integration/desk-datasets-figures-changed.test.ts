import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { parsePlace } from "../../src/desk/dataset-place.ts";
import type { Table } from "../support/dataset-copy.ts";
import { createDatasetCopy, readPage, readWhole } from "../support/dataset-copy.ts";
import type { DeskStand } from "../support/desk.ts";
import { openDeskStand } from "../support/desk.ts";
import type { History } from "../support/metric-history.ts";
import { openHistory } from "../support/metric-history.ts";

let stand: DeskStand;
let history: History;
const daySeconds = 86_400;

// One fold of a read, however little it has done by then.
beforeAll(async () => void (stand = await openDeskStand({ datasetFoldMs: 0 })));
afterAll(() => stand.close());

/** Tickets of a hundred days that are still open. */
beforeEach(async () => {
  history = await openHistory(stand.databaseUrl, Math.floor(Date.now() / 1000) - 100 * daySeconds);
  for (let day = 0; day < 99; day += 1) {
    await history.create({ assignee: day % 2 === 0 ? "kim" : "lee", tags: ["late"] }, false);
    history.wait(daySeconds);
  }
});
afterEach(() => history.wipe());

const whole = (): Promise<Table> => readWhole(stand, "metrics_daily");

/** Keys of the rows in which two tables differ. */
function differing(one: Table, other: Table): readonly string[] {
  const keys = new Set([...one.keys(), ...other.keys()]);
  const textOf = (table: Table, key: string): string => JSON.stringify(table.get(key));
  return [...keys].filter((key) => textOf(one, key) !== textOf(other, key)).toSorted();
}

async function query(text: string): Promise<void> {
  const client = new pg.Client({
    connectionString: stand.databaseUrl,
    options: "-c search_path=deskbridge_desk",
  });
  await client.connect();
  await client.query(text);
  await client.end();
}

describe("a read of the figures by day that changed", () => {
  const changes: readonly (readonly [what: string, change: () => Promise<void>, isSmall: boolean])[] = [
    ["a ticket is solved today", () => history.setStatus(ticketOf(10), "solved"), true],
    ["a ticket comes in today", () => history.create({ assignee: "kim", tags: ["late"] }, false), true],
    [
      "a ticket that is as old as all of it goes to another",
      () => history.change(ticketOf(2), { assignee: "lee" }),
      false,
    ],
    ["a ticket of fifty days ago loses its tag", () => history.change(ticketOf(50), { set_tags: [] }), false],
  ];
  const ticketOf = (index: number) => {
    const ticket = history.tickets[index];
    if (ticket === undefined) throw new Error("there is no such ticket");
    return ticket;
  };

  it.each(changes)("gives just the rows that are others, when %s", async (_what, change, isSmall) => {
    const copy = createDatasetCopy(stand, "metrics_daily");
    await copy.catchUp();
    const before = new Map(copy.table);
    await change();
    copy.sent.clear();
    await copy.catchUp();
    expect(differing(copy.table, await whole())).toEqual([]);
    const others = differing(before, copy.table);
    expect([...copy.sent].toSorted()).toEqual(others);
    expect(others.length).toBeGreaterThan(0);
    // Small: of each group of the ticket, the days from yesterday, when it changed. Else, of those it left or came to, the days since it came.
    expect(others.length).toBeLessThan(isSmall ? 15 : 210);
  });

  it("gives nothing when nothing changed, and nothing again of what was read before", async () => {
    const copy = createDatasetCopy(stand, "metrics_daily");
    await copy.catchUp();
    await history.setStatus(ticketOf(1), "solved");
    await copy.catchUp();
    copy.sent.clear();
    await copy.catchUp();
    await history.message(ticketOf(2), { direction: "inbound", visibility: "internal" }, false);
    await copy.catchUp();
    expect([...copy.sent]).toEqual([]);
  });

  it("is right too where it is not known any more what changed", async () => {
    const copy = createDatasetCopy(stand, "metrics_daily");
    await copy.catchUp();
    await history.setStatus(ticketOf(5), "solved");
    await stand.desk.maintain();
    await query("update metric_fold set gains_from = batch; delete from metric_gain");
    await copy.catchUp();
    expect(differing(copy.table, await whole())).toEqual([]);
  });

  it("forgets what changed longer ago than five weeks", async () => {
    const copy = createDatasetCopy(stand, "metrics_daily");
    await copy.catchUp();
    await history.setStatus(ticketOf(6), "solved");
    await stand.desk.maintain();
    await query(
      "update metric_gain set folded_at = now() - interval '36 days'; update metric_fold set batch = batch / 100 * 100 + 99",
    );
    await history.setStatus(ticketOf(7), "solved");
    await stand.desk.maintain();
    await copy.catchUp();
    expect(differing(copy.table, await whole())).toEqual([]);
  });
});

describe("a desk that has much to add up", () => {
  it("answers with empty pages that say how far it is, and then with the rows", async () => {
    // Each ticket is two changes, its message being one; a fold takes 5,000.
    await query(`insert into change (type, ticket, object, data, actor)
      select 'ticket.updated', c.ticket, c.object, '{}', c.actor from change c, generate_series(1, 150) where c.type = 'ticket.created'`);
    const pages = [await readPage(stand, "metrics_daily", {})];
    while (pages.at(-1)?.more === true) {
      const after = pages.at(-1)?.next ?? "";
      pages.push(await readPage(stand, "metrics_daily", { after }));
    }
    const empty = pages.filter(({ preparing }) => preparing !== undefined);
    expect(empty.length).toBeGreaterThan(1);
    expect(empty.every(({ csv }) => csv === "")).toBe(true);
    const shares = empty.map(({ preparing }) => Number(preparing));
    expect(shares).toEqual(shares.toSorted((a, b) => a - b));
    expect(parsePlace("metrics_daily", empty[0]?.next ?? "")).toEqual({ kind: "figures", since: undefined });
    expect(pages.slice(0, empty.length)).toEqual(empty);
    expect(pages.at(-1)?.csv).not.toBe("");
  });
});
