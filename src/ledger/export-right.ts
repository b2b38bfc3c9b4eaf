import { randomUUID } from "node:crypto";
import type { Pool, PoolClient } from "pg";
import { AppError, toAppError } from "../errors.ts";
import type {
  BeginExport,
  ExportEnd,
  ExportLedger,
  ExportRight,
  ExportTableRecord,
  RecordedTable,
  TableMove,
} from "./exports.ts";
import {
  exportStates,
  noteExportSchedule,
  pruneExportRuns,
  readExportRuns,
  readExportStandings,
  readExportTables,
} from "./export-record.ts";
import type { Guarded } from "./fault.ts";
import type { LeaseHolder } from "./holder.ts";
import { aliveHolders, isHeldAlive, ownerOf } from "./holder.ts";
import { inTransaction } from "./transaction.ts";

const leaseMs = 90_000;
const renewEveryMs = 15_000;
const endTries = 3;

interface Parts {
  readonly durable: Pool;
  readonly holder: LeaseHolder;
  readonly guarded: Guarded;
}

const takeText = `
with ${aliveHolders}
insert into export_lease as l (export, owner, run, until)
values ($1, $2, 0, clock_timestamp() + $3 * interval '1 millisecond')
on conflict (export) do update set owner = excluded.owner, until = excluded.until
where l.until <= clock_timestamp() or not ${isHeldAlive("l.owner")}
returning 1`;

const orphanText = `
with gone as (
  update export_run set state = 3, finished_at = clock_timestamp(), message = 'its process ended before it did'
  where export = $1 and state = 0 returning run
)
update export_run_table t set state = 3 from gone g where t.run = g.run and t.state = 0`;

const coveredText = `
select 1 from export_run where export = $1 and state in (1, 2) and greatest(started_at, due_at) >= $2 limit 1`;

const beginText = `
with begun as (
  insert into export_run (export, trigger, mode, days_from, days_until, config, due_at)
  values ($1, $2, $3, $4, $5, $6, $7) returning run
)
update export_lease l set run = b.run from begun b where l.export = $1 returning b.run`;

/** The ledger of exports on PostgreSQL. */
export function createExportLedger(parts: Parts): ExportLedger {
  const { durable, guarded } = parts;
  return {
    begin: (request) => beginExport(parts, request),
    tables: (name) => guarded(() => readExportTables(durable, name)),
    runs: (filter) => guarded(() => readExportRuns(durable, filter)),
    standings: () => guarded(() => readExportStandings(durable)),
    noteSchedule: (name, cron, timezone) => guarded(() => noteExportSchedule(durable, name, cron, timezone)),
    prune: (before) => guarded(() => pruneExportRuns(durable, before)),
  };
}

/** Takes the right to run an export, as `ExportLedger.begin` says. */
async function beginExport(parts: Parts, request: BeginExport): Promise<ExportRight | undefined> {
  const number = await parts.holder.number();
  const owner = ownerOf(number, randomUUID());
  const takenAt = performance.now();
  const run = await parts.guarded(() =>
    inTransaction(parts.durable, (client) => begin(client, request, owner)),
  );
  if (run === undefined) return undefined;
  return createRight(parts, { export: request.export, owner, run, expiresAt: takenAt + leaseMs });
}

async function begin(
  client: PoolClient,
  { export: name, trigger, mode, config, dueAt }: BeginExport,
  owner: string,
): Promise<number | undefined> {
  const taken = await client.query(takeText, [name, owner, leaseMs]);
  if (taken.rowCount !== 1) {
    throw new AppError("export_busy", `the export ${name} is being run already`, {
      details: { export: name },
    });
  }
  await client.query(orphanText, [name]);
  const due = dueAt === undefined ? null : new Date(dueAt);
  if (due !== null) {
    const covered = await client.query(coveredText, [name, due]);
    if (covered.rowCount !== 0) {
      await client.query("delete from export_lease where export = $1", [name]);
      return undefined;
    }
  }
  const days = mode.kind === "days" ? [mode.from, mode.until] : [null, null];
  const { rows } = await client.query<{ run: number }>(beginText, [
    name,
    trigger,
    mode.kind,
    ...days,
    config,
    due,
  ]);
  return rows[0]?.run;
}

/** The right as it is held now. The session that vouches for it may change, and with it its owner. */
interface Held {
  readonly export: string;
  owner: string;
  run: number;
  expiresAt: number;
}

function createRight(parts: Parts, held: Held): ExportRight {
  const { durable, guarded } = parts;
  const lost = new AbortController();
  const lose = (): AppError => {
    const fault = leaseLost(held.export);
    lost.abort(fault);
    return fault;
  };
  const renew = async (): Promise<void> => {
    if (!(await renewOnce(parts, held))) throw lose();
  };
  const timer = setInterval(() => {
    renew().catch(() => {
      // A database that is away for a moment takes no right away; one that is away for longer does.
      if (performance.now() > held.expiresAt) lose();
    });
  }, renewEveryMs);
  timer.unref();
  const ensure = async (): Promise<void> => {
    lost.signal.throwIfAborted();
    await renew();
  };
  const recordAll = async (tables: readonly RecordedTable[]): Promise<void> => {
    if (!(await writeRecords(parts, held, tables))) throw lose();
  };
  return {
    run: () => held.run,
    signal: lost.signal,
    ensure,
    renumber: async (above) => {
      const { rows } = await guarded(() =>
        durable.query<{ run: number }>(renumberText, [held.export, held.owner, held.run, above]),
      );
      if (rows[0] === undefined) throw lose();
      held.run = rows[0].run;
    },
    record: (record, move) => recordAll([{ record, move }]),
    recordAll,
    end: async (end) => {
      clearInterval(timer);
      await writeEnd(parts, held, end);
    },
  };
}

// A session that has just ended vouches for nothing, whether we know of it yet or not: then the time of the right alone counts.
const renewText = `
with ${aliveHolders}
update export_lease set owner = case when ${isHeldAlive("$3::text")} then $3 else $4 end, until = clock_timestamp() + $5 * interval '1 millisecond'
where export = $1 and owner = $2 returning owner`;

async function renewOnce({ durable, holder, guarded }: Parts, held: Held): Promise<boolean> {
  const claim = held.owner.slice(held.owner.indexOf(":") + 1);
  const number = await holder.number();
  const startedAt = performance.now();
  const values = [held.export, held.owner, ownerOf(number, claim), ownerOf(0, claim), leaseMs];
  const { rows } = await guarded(() => durable.query<{ owner: string }>(renewText, values));
  if (rows[0] === undefined) return false;
  held.owner = rows[0].owner;
  held.expiresAt = startedAt + leaseMs;
  return true;
}

const renumberText = `
with raised as materialized (
  select setval('export_run_number', greatest($4::bigint, (select last_value from export_run_number))) as at
  from export_lease where export = $1 and owner = $2 and run = $3
), numbered as (
  update export_run r set run = n.run
  from (select nextval('export_run_number') as run from raised) n where r.run = $3 returning r.run
)
update export_lease l set run = n.run from numbered n where l.export = $1 returning n.run`;

// Column after column of what is recorded; what is not moved has no watermark.
const recordText = `
with held as materialized (
  select 1 from export_lease where export = $1 and owner = $2 for share
), told as materialized (
  select t.* from held, unnest($4::text[], $5::text[], $6::smallint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[],
    $12::integer[], $13::double precision[], $14::text[], $15::text[], $16::timestamptz[], $17::integer[], $18::text[], $19::text[], $20::text[],
    $21::text[], $22::text[], $23::text[]) as t(table_name, dataset, state, rows_read, inserted, updated, deleted, bytes, commits, seconds,
    watermark_from, watermark_to, as_of, schema_version, left_out, code, message, sink, watermark, columns)
), counted as (
  insert into export_run_table (run, table_name, dataset, state, rows_read, inserted, updated, deleted, bytes, commits, seconds,
    watermark_from, watermark_to, as_of, schema_version, left_out, code, message)
  select $3::bigint, table_name, dataset, state, rows_read, inserted, updated, deleted, bytes, commits, seconds,
    watermark_from, watermark_to, as_of, schema_version, left_out::json, code, message from told
  on conflict (run, table_name) do update set state = excluded.state, rows_read = excluded.rows_read, inserted = excluded.inserted,
    updated = excluded.updated, deleted = excluded.deleted, bytes = excluded.bytes, commits = excluded.commits, seconds = excluded.seconds,
    watermark_from = excluded.watermark_from, watermark_to = excluded.watermark_to, as_of = excluded.as_of,
    schema_version = excluded.schema_version, left_out = excluded.left_out, code = excluded.code, message = excluded.message
), moved as (
  insert into export_table (export, table_name, dataset, sink, watermark, columns, schema_version, as_of, run)
  select $1, table_name, dataset, sink, watermark, columns::json, schema_version, as_of, $3::bigint from told where watermark is not null
  on conflict (export, table_name) do update set dataset = excluded.dataset, sink = excluded.sink, watermark = excluded.watermark,
    columns = excluded.columns, schema_version = excluded.schema_version, as_of = excluded.as_of, run = excluded.run,
    moved_at = clock_timestamp()
)
select count(*)::int as held from held`;

async function writeRecords(
  { durable, guarded }: Parts,
  held: Held,
  tables: readonly RecordedTable[],
): Promise<boolean> {
  const of = (value: (record: ExportTableRecord) => unknown): readonly unknown[] =>
    tables.map(({ record }) => value(record));
  const ofMove = (value: (move: TableMove) => string): readonly unknown[] =>
    tables.map(({ move }) => (move === undefined ? null : value(move)));
  const values = [
    held.export,
    held.owner,
    held.run,
    of(({ table }) => table),
    of(({ dataset }) => dataset),
    of(({ state }) => exportStates.indexOf(state)),
    of(({ rowsRead }) => rowsRead),
    of(({ inserted }) => inserted),
    of(({ updated }) => updated),
    of(({ deleted }) => deleted),
    of(({ bytes }) => bytes),
    of(({ commits }) => commits),
    of(({ seconds }) => seconds),
    of(({ watermarkFrom }) => watermarkFrom),
    of(({ watermarkTo }) => watermarkTo),
    of(({ asOf }) => asOf),
    of(({ schemaVersion }) => schemaVersion),
    of(({ leftOut }) => JSON.stringify(leftOut)),
    of(({ code }) => code),
    of(({ message }) => message),
    ofMove(({ sink }) => sink),
    ofMove(({ watermark }) => watermark),
    ofMove(({ columns }) => JSON.stringify(columns)),
  ];
  const { rows } = await guarded(() => durable.query<{ held: number }>(recordText, values));
  return rows[0]?.held === 1;
}

const endText = `
with freed as (
  delete from export_lease where export = $1 and owner = $2 returning run
)
update export_run r set state = $3, code = $4, message = $5, finished_at = clock_timestamp() from freed f where r.run = f.run`;

async function writeEnd({ durable, guarded }: Parts, held: Held, end: ExportEnd): Promise<void> {
  const values = [
    held.export,
    held.owner,
    exportStates.indexOf(end.state),
    end.code ?? null,
    end.message ?? null,
  ];
  for (let attempt = 1; ; attempt += 1) {
    try {
      await guarded(() => durable.query(endText, values));
      return;
    } catch (error) {
      if (attempt === endTries || toAppError(error).retry === "stop") return;
    }
  }
}

function leaseLost(name: string): AppError {
  return new AppError("lease_lost", `the export ${name} has been taken over by another process`, {
    details: { export: name },
  });
}
