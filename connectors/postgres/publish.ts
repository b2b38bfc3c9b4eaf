import { runColumn } from "deskbridge/sdk";
import type { Column, CommitRequest, SinkRequest } from "deskbridge/sdk";
import { attempt, twice } from "./attempt.ts";
import { listed, quoted } from "./column.ts";
import type { Session } from "./session.ts";
import { stage } from "./stage.ts";
import type { Stage } from "./stage.ts";

/** What is to be published where. */
export interface Target {
  /** The table with its schema, as SQL. */
  readonly table: string;
  readonly request: SinkRequest;
  readonly written: readonly Column[];
}

/** What is put and taken away. */
export interface Changed {
  readonly staged: ReturnType<Stage["staged"]>;
  /** Whether the table was made in this transaction: no run before this one has written to it. */
  readonly isNew: boolean;
}

interface Published {
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
}

const order = quoted(stage.order);

/** Brings the staged changes into the table, and takes away what a full run or a repair did not write. To be called in a transaction. */
export async function publish(
  session: Session,
  target: Target,
  { staged, isNew }: Changed,
  commit: CommitRequest,
): Promise<Published> {
  const deleted = staged.deletes === 0 ? 0 : await takeAway(session, target);
  const put = staged.upserts === 0 ? { inserted: 0, updated: 0 } : await putRows(session, target, commit);
  const dropped = isNew ? 0 : await dropOld(session, target, commit);
  return { ...put, deleted: deleted + dropped };
}

/** The join of two tables by the key of the rows. */
function sameKey({ request }: Target, left: string, right: string): string {
  return request.table.key.map((name) => `${left}.${quoted(name)} = ${right}.${quoted(name)}`).join(" AND ");
}

// A row that was put before its key was taken away is not put; one that was put after it stays, in the table as in the stage.
async function takeAway(session: Session, target: Target): Promise<number> {
  const key = listed(target.request.table.key);
  await session.query(
    `DELETE FROM ${stage.rows} AS r USING (SELECT ${key}, max(${order}) AS last FROM ${stage.keys} GROUP BY ${key}) AS k
     WHERE ${sameKey(target, "r", "k")} AND r.${order} < k.last`,
  );
  const [row] = await session.query<{ count: number }>(
    `WITH gone AS (
       DELETE FROM ${target.table} AS t USING (SELECT DISTINCT ${key} FROM ${stage.keys}) AS k
       WHERE ${sameKey(target, "t", "k")} AND NOT EXISTS (SELECT 1 FROM ${stage.rows} AS r WHERE ${sameKey(target, "r", "k")})
       RETURNING 1
     ) SELECT count(*) AS count FROM gone`,
  );
  return row?.count ?? 0;
}

/**
 * Puts the rows. That one key was staged twice is rare and costs a sort to find out beforehand, so PostgreSQL is left to stumble over it (21000), and only then
 * are the earlier ones taken out.
 */
async function putRows(
  session: Session,
  target: Target,
  commit: CommitRequest,
): Promise<{ inserted: number; updated: number }> {
  const statement = upsertStatement(target, commit);
  const put = await attempt(session, twice, () => upsert(session, statement));
  if (put !== undefined) return put.result;
  const key = listed(target.request.table.key);
  await session.query(
    `DELETE FROM ${stage.rows} AS r USING (
       SELECT ${key}, max(${order}) AS last FROM ${stage.rows} GROUP BY ${key} HAVING count(*) > 1
     ) AS k WHERE ${sameKey(target, "r", "k")} AND r.${order} < k.last`,
  );
  return upsert(session, statement);
}

async function upsert(session: Session, statement: string): Promise<{ inserted: number; updated: number }> {
  const [row] = await session.query<{ inserted: number; put: number }>(statement);
  const { inserted = 0, put = 0 } = row ?? {};
  return { inserted, updated: put - inserted };
}

/** A row that is as it was is left alone, unless the number of the run has to be noted on it. A new row is one that no transaction has yet locked. */
function upsertStatement({ table, request, written }: Target, { mayDrop }: CommitRequest): string {
  const names = written.map(({ name }) => name);
  const rest = names.filter((name) => !request.table.key.includes(name));
  const compared = mayDrop === false ? rest : [...rest, runColumn];
  const all = [...rest, runColumn].map((name) => `${quoted(name)} = excluded.${quoted(name)}`);
  return `WITH put AS (
    INSERT INTO ${table} AS t (${listed([...names, runColumn])})
    SELECT ${listed(names)}, ${request.run} FROM ${stage.rows}
    ON CONFLICT (${listed(request.table.key)}) DO UPDATE SET ${all.join(", ")}
    WHERE (${listed(compared, "t.")}) IS DISTINCT FROM (${listed(compared, "excluded.")})
    RETURNING (xmax = 0) AS fresh
  ) SELECT count(*) FILTER (WHERE fresh) AS inserted, count(*) AS put FROM put`;
}

async function dropOld(session: Session, { table, request }: Target, commit: CommitRequest): Promise<number> {
  const { dropOlderThan, dropOlderThanIn: days } = commit;
  const run = quoted(runColumn);
  let dropped = 0;
  if (dropOlderThan !== undefined) {
    dropped += await countOf(session, `DELETE FROM ${table} WHERE ${run} < $1`, [dropOlderThan]);
  }
  if (days === undefined) return dropped;
  const day = quoted(request.table.day);
  const text = `DELETE FROM ${table} WHERE ${run} < $1 AND ${day} >= $2::date AND ${day} < $3::date`;
  return dropped + (await countOf(session, text, [request.run, days.from, days.until]));
}

async function countOf(session: Session, text: string, values: readonly unknown[]): Promise<number> {
  const [row] = await session.query<{ count: number }>(
    `WITH gone AS (${text} RETURNING 1) SELECT count(*) AS count FROM gone`,
    values,
  );
  return row?.count ?? 0;
}
