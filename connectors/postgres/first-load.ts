import { randomUUID } from "node:crypto";
import { AppError, runColumn } from "deskbridge/sdk";
import type { SinkRequest } from "deskbridge/sdk";
import { attempt, twice } from "./attempt.ts";
import { listed, quoted } from "./column.ts";
import { copyRows } from "./copy-rows.ts";
import { addIndexes, makeBareTable, makeTable } from "./new-table.ts";
import type { Session } from "./session.ts";
import { runDefault } from "./straight.ts";
import type { Straight } from "./straight.ts";
import { columnsOf } from "./table.ts";

/**
 * The way of the first rows of a table that is not there yet. It is made in the transaction of its first commit, so nobody ever sees it without its rows or its key:
 * rows are copied into it before it has an index, which are built at once in the end. Until then it has a name of its own, so that another run that is at the same is
 * not held up by this one. Once the table is there, further rows go the way `later`.
 */
export function createFirstLoad(
  session: Session,
  schema: string,
  { table, run }: SinkRequest,
  later: Straight,
): Straight {
  const name = `${quoted(schema)}.${quoted(table.name)}`;
  let interim: string | undefined;
  let rows = 0;
  let isThere = false;
  return {
    take: async (batch, csv) => {
      if (isThere) return later.take(batch, csv);
      if (interim === undefined) {
        await session.begin();
        interim = `${quoted(schema)}.${quoted(`_deskbridge_load_${randomUUID()}`)}`;
        // A number that is the same for each row costs less than a setting that is read for each.
        await makeBareTable(session, interim, table, `DEFAULT ${run}`);
      }
      await copyRows(session, interim, batch, csv, "FREEZE");
      rows += batch.count;
      return true;
    },
    rows: () => (isThere ? later.rows() : rows),
    finish: async () => {
      if (isThere) return later.finish();
      await requireMissing(session, schema, table.name);
      if (interim === undefined) {
        await makeTable(session, name, table);
        return { inserted: 0, isNew: true };
      }
      await session.query(`ALTER TABLE ${interim} RENAME TO ${quoted(table.name)}`);
      await session.query(`ALTER TABLE ${name} ALTER COLUMN ${quoted(runColumn)} SET ${runDefault}`);
      return { inserted: rows - (await indexRows(session, name, table)), isNew: true };
    },
    ended: (committed) => {
      interim = undefined;
      rows = 0;
      later.ended(committed);
      isThere ||= committed;
    },
  };
}

async function requireMissing(session: Session, schema: string, table: string): Promise<void> {
  if ((await columnsOf(session, schema, table)) === undefined) return;
  const message = `Somebody made a table ${table} while its first rows were on their way; it is opened anew.`;
  throw new AppError("target_conflict", message);
}

/** Builds the key and the index. That a key comes twice is rare, so PostgreSQL is left to stumble over it. Returns how many rows a later one took the place of. */
async function indexRows(session: Session, name: string, table: SinkRequest["table"]): Promise<number> {
  const built = await attempt(session, twice, () => addIndexes(session, name, table));
  if (built !== undefined) return 0;
  const replaced = await keepLast(session, name, table.key);
  await addIndexes(session, name, table);
  return replaced;
}

/**
 * Of rows with one key, leaves the last. Which that is, the table tells: each `COPY` was a command of its own, with a number, and one that fills a table which its own
 * transaction made puts row behind row.
 */
async function keepLast(session: Session, name: string, key: readonly string[]): Promise<number> {
  const columns = listed(key);
  const [row] = await session.query<{ count: number }>(
    `WITH ranked AS (
       SELECT ctid AS place, row_number() OVER (PARTITION BY ${columns} ORDER BY cmin::text::bigint DESC, ctid DESC) AS rank
       FROM ${name} WHERE (${columns}) IN (SELECT ${columns} FROM ${name} GROUP BY ${columns} HAVING count(*) > 1)
     ), gone AS (
       DELETE FROM ${name} AS t USING ranked WHERE t.ctid = ranked.place AND ranked.rank > 1 RETURNING 1
     ) SELECT count(*) AS count FROM gone`,
  );
  return row?.count ?? 0;
}
