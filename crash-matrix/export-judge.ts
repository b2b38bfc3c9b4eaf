import { setTimeout as pause } from "node:timers/promises";
import pg from "pg";
import type { Verdict } from "./judge.ts";
import { createProgress } from "./progress.ts";
import type { PlainRow, Warehouse } from "./warehouse.ts";

/** A table that is compared: how the desk, or the worker, has its rows, and which columns say the same in the warehouse. */
interface Compared {
  readonly table: string;
  readonly key: string;
  readonly values: readonly string[];
  /** Selects `key` and `value` from the source's own tables. */
  readonly text: string;
}

const micros = (column: string): string => `(extract(epoch from ${column}) * 1000000)::bigint`;

const compared: readonly Compared[] = [
  {
    table: "tickets",
    key: "id",
    values: ["subject", "status", "created_at", "updated_at"],
    text: `select 'tkt_' || id as key, concat_ws('|', subject, status, ${micros("created_at")}, ${micros("updated_at")}) as value
      from deskbridge_desk.ticket`,
  },
  {
    table: "messages",
    key: "id",
    values: ["ticket_id", "text", "created_at"],
    text: `select 'msg_' || id as key, concat_ws('|', 'tkt_' || ticket, text, ${micros("created_at")}) as value
      from deskbridge_desk.message`,
  },
  {
    table: "contacts",
    key: "id",
    values: ["created_at"],
    text: `select 'con_' || id as key, ${micros("created_at")}::text as value from deskbridge_desk.contact`,
  },
  {
    table: "deliveries",
    key: "id",
    values: ["flow", "status", "attempts", "finished_at"],
    text: `select id::text as key,
      concat_ws('|', flow, (array['pending', 'done', 'skipped', 'dead'])[status + 1], attempts, ${micros("finished_at")}) as value
      from deskbridge.delivery`,
  },
];

/** Names of the datasets that an export of the matrix has. */
export const comparedTables: readonly string[] = compared.map(({ table }) => table);

const runWithinMs = 60_000;
/** Far longer than any transaction of a run. */
const closerWithinMs = 60_000;

/**
 * Waits for an export that began when all was over, and compares the warehouse with what it was to get, row by row. What is not there yet may come with a later
 * run: a feed tells no change while a transaction of before is open anywhere on the server, and all runs of the matrix share one. It is judged when
 * the exports bring it no closer.
 */
export async function judgeWarehouse(databaseUrl: string, warehouse: Warehouse): Promise<Verdict> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  const progress = createProgress();
  let fewest = Number.POSITIVE_INFINITY;
  try {
    for (;;) {
      const late = await exportedSince(client);
      const verdict = await compareTables(client, warehouse);
      const findings = [...late, ...verdict.findings];
      if (findings.length < fewest) progress.note();
      fewest = Math.min(fewest, findings.length);
      if (fewest > 0 && late.length === 0 && progress.idleMs() < closerWithinMs) continue;
      return { ...verdict, lost: verdict.lost + late.length, findings };
    }
  } finally {
    await client.end();
  }
}

async function compareTables(client: pg.Client, warehouse: Warehouse): Promise<Verdict> {
  const verdicts: Verdict[] = [];
  for (const { table, key, values, text } of compared) {
    const wanted = (await client.query<PlainRow>(text)).rows;
    verdicts.push(compareRows(table, wanted, await warehouse.rows(table, key, values)));
  }
  const sum = (of: (one: Verdict) => number): number => verdicts.reduce((total, one) => total + of(one), 0);
  return {
    lost: sum(({ lost }) => lost),
    duplicated: sum(({ duplicated }) => duplicated),
    outOfOrder: sum(({ outOfOrder }) => outOfOrder),
    findings: verdicts.flatMap(({ findings }) => findings),
  };
}

/** What was found where no run that begins from now on is done in time; else nothing. */
async function exportedSince(client: pg.Client): Promise<readonly string[]> {
  const { rows } = await client.query<{ now: string }>("select clock_timestamp()::text as now");
  const text = "select 1 from deskbridge.export_run where state = 1 and started_at > $1 limit 1";
  const until = performance.now() + runWithinMs;
  while (performance.now() < until) {
    if ((await client.query(text, [rows[0]?.now])).rowCount === 1) return [];
    await pause(100);
  }
  const runs = await client.query(
    "select run, trigger, state, code, message from deskbridge.export_run order by run desc limit 5",
  );
  return [`no export was done any more: ${JSON.stringify(runs.rows)}`];
}

/** Rows that are missing are lost, those that are there twice or that nobody has are doubled, and those that say something else are out of order. */
export function compareRows(table: string, wanted: readonly PlainRow[], there: readonly PlainRow[]): Verdict {
  const byKey = new Map(wanted.map(({ key, value }) => [key, value]));
  const found = Map.groupBy(there, ({ key }) => key);
  const lost = wanted.filter(({ key }) => !found.has(key));
  const surplus = [...found].flatMap(([key, rows]) => rows.slice(byKey.has(key) ? 1 : 0));
  const stale = [...found].flatMap(([key, [row]]) =>
    row !== undefined && byKey.has(key) && byKey.get(key) !== row.value
      ? [`${table} ${key}: it is ${byKey.get(key)}; there is ${row.value}`]
      : [],
  );
  return {
    lost: lost.length,
    duplicated: surplus.length,
    outOfOrder: stale.length,
    findings: [
      ...lost.map(({ key }) => `${table} ${key} is missing`),
      ...surplus.map(({ key }) => `${table} ${key} is there once too often`),
      ...stale,
    ],
  };
}
