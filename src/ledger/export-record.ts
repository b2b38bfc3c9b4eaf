import type { Pool } from "pg";
import type { DatasetName } from "../model/dataset.ts";
import type {
  ExportMode,
  ExportRunRecord,
  ExportRunState,
  ExportStanding,
  ExportTableRecord,
  ExportTableState,
  ExportTrigger,
  StoredColumn,
} from "./exports.ts";
import { aliveHolders, isHeldAlive } from "./holder.ts";

/** States in the order of their numbers in the tables. */
export const exportStates = ["running", "done", "failed", "aborted"] as const satisfies ExportRunState[];

const instant = (column: string): string =>
  `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

const milliseconds = (instantOf: string): string =>
  `extract(epoch from ${instantOf})::double precision * 1000`;

/** A run that is put down as running but whose process is gone does not run. */
const isRunning = `exists (
  select 1 from export_lease l where l.run = r.run and l.until > clock_timestamp() and ${isHeldAlive("l.owner")})`;

const runsText = `
with ${aliveHolders}
select r.run, r.export, r.trigger, r.mode, r.days_from::text, r.days_until::text, r.config, ${instant("r.started_at")} as started_at,
  ${instant("r.finished_at")} as finished_at, case when r.state = 0 and not ${isRunning} then 3 else r.state end as state, r.code, r.message,
  coalesce((
    select json_agg(json_build_object('table', t.table_name, 'dataset', t.dataset,
      'state', case when t.state = 0 and not ${isRunning} then 3 else t.state end,
      'rowsRead', t.rows_read, 'inserted', t.inserted, 'updated', t.updated, 'deleted', t.deleted, 'bytes', t.bytes, 'commits', t.commits,
      'seconds', t.seconds, 'watermarkFrom', t.watermark_from, 'watermarkTo', t.watermark_to, 'asOf', ${instant("t.as_of")},
      'schemaVersion', t.schema_version, 'leftOut', t.left_out, 'code', t.code, 'message', t.message) order by t.table_name)
    from export_run_table t where t.run = r.run
  ), '[]') as tables
from export_run r where $1::text is null or r.export = $1 order by r.run desc limit $2`;

interface RunRow {
  readonly run: number;
  readonly export: string;
  readonly trigger: ExportTrigger;
  readonly mode: ExportMode["kind"];
  readonly days_from: string | null;
  readonly days_until: string | null;
  readonly config: string;
  readonly started_at: string;
  readonly finished_at: string | null;
  readonly state: number;
  readonly code: string | null;
  readonly message: string | null;
  readonly tables: readonly (Omit<ExportTableRecord, "state"> & { readonly state: number })[];
}

/** The last runs, newest first. */
export async function readExportRuns(
  pool: Pool,
  { export: name, limit }: { readonly export?: string; readonly limit: number },
): Promise<readonly ExportRunRecord[]> {
  const { rows } = await pool.query<RunRow>(runsText, [name ?? null, limit]);
  return rows.map(({ mode, days_from, days_until, started_at, finished_at, state, tables, ...row }) => ({
    ...row,
    mode: mode === "days" ? { kind: mode, from: days_from ?? "", until: days_until ?? "" } : { kind: mode },
    startedAt: started_at,
    finishedAt: finished_at,
    state: stateOf(state),
    tables: tables.map((table) => ({ ...table, state: stateOf(table.state) })),
  }));
}

function stateOf(number: number): ExportRunState {
  return exportStates[number] ?? "aborted";
}

const tablesText = `
select export, table_name as "table", dataset, sink, watermark, columns, schema_version as "schemaVersion", ${instant("as_of")} as "asOf",
  run, ${instant("moved_at")} as "movedAt"
from export_table where export = $1 order by table_name`;

/** Where the tables of an export stand. */
export async function readExportTables(pool: Pool, name: string): Promise<readonly ExportTableState[]> {
  const { rows } = await pool.query<{
    readonly export: string;
    readonly table: string;
    readonly dataset: DatasetName;
    readonly sink: string;
    readonly watermark: string;
    readonly columns: readonly StoredColumn[];
    readonly schemaVersion: number;
    readonly asOf: string | null;
    readonly run: number;
    readonly movedAt: string;
  }>(tablesText, [name]);
  return rows;
}

const standingsText = `
with ${aliveHolders}
select coalesce(r.export, s.export) as export, r.last_done, r.done, r.served, ${milliseconds("s.since")} as since
from (
  select r.export, ${milliseconds("max(r.started_at) filter (where r.state = 1)")} as last_done,
    ${milliseconds("max(greatest(r.started_at, r.due_at)) filter (where r.state = 1)")} as done,
    ${milliseconds(`max(greatest(r.started_at, r.due_at)) filter (where r.state in (1, 2) or (r.state = 0 and ${isRunning}))`)} as served
  from export_run r group by r.export
) r
full join export_schedule s on s.export = r.export
order by 1`;

/** How every export stands. */
export async function readExportStandings(pool: Pool): Promise<readonly ExportStanding[]> {
  const { rows } = await pool.query<{
    readonly export: string;
    readonly last_done: number | null;
    readonly done: number | null;
    readonly served: number | null;
    readonly since: number | null;
  }>(standingsText);
  return rows.map((row) => ({
    export: row.export,
    lastDoneAt: row.last_done ?? undefined,
    doneUntil: row.done ?? undefined,
    servedUntil: row.served ?? undefined,
    scheduledSince: row.since ?? undefined,
  }));
}

/** As `ExportLedger.noteSchedule` says. */
export async function noteExportSchedule(
  pool: Pool,
  name: string,
  cron: string,
  timezone: string,
): Promise<void> {
  await pool.query(
    `insert into export_schedule as s (export, cron, timezone) values ($1, $2, $3)
     on conflict (export) do update set cron = excluded.cron, timezone = excluded.timezone, since = clock_timestamp()
     where (s.cron, s.timezone) <> (excluded.cron, excluded.timezone)`,
    [name, cron, timezone],
  );
}

const pruneText = `
delete from export_run r where r.finished_at < $1
  and r.run <> (select max(run) from export_run o where o.export = r.export)
  and r.run is distinct from (select max(run) from export_run o where o.export = r.export and o.state = 1)`;

/** As `ExportLedger.prune` says. */
export async function pruneExportRuns(pool: Pool, before: number): Promise<number> {
  const { rowCount } = await pool.query(pruneText, [new Date(before)]);
  return rowCount ?? 0;
}
