import { runColumn } from "deskbridge/sdk";
import type { RowBatch } from "deskbridge/sdk";
import { attempt, twice } from "./attempt.ts";
import { copyRows } from "./copy-rows.ts";
import type { Session } from "./session.ts";
import type { OpenTable } from "./table.ts";

/** Server setting of a session from which the column of the run takes its value, where rows are copied straight into a table. */
export const runSetting = "deskbridge.run";

/** The way of the rows of a first load: into the table itself, in the transaction of the commit, without a second copy of them. */
export interface Straight {
  /** False where the rows have to be staged, now and from now on. */
  readonly take: (batch: RowBatch, csv: readonly Buffer[]) => Promise<boolean>;
  /** Rows that are in the open transaction. */
  readonly rows: () => number;
  /** Makes them rows of the table. To be called in the transaction of the commit, before anything that was staged is published. */
  readonly finish: () => Promise<Finished>;
  /** Called when the transaction is over. */
  readonly ended: (committed: boolean) => void;
}

/** What became of the rows of a transaction. */
export interface Finished {
  readonly inserted: number;
  /** Whether the table was made with them, so that it has no others. */
  readonly isNew: boolean;
}

/**
 * Rows of a table that was empty when it was opened are copied straight into it for as long as no key comes twice. The first batch with a key that is there already
 * is taken back, and it and all after it are staged, as only there later rows win.
 */
export function createStraight(
  session: Session,
  table: string,
  { state, leftOut }: OpenTable,
  run: number,
): Straight {
  let isOpen = state !== "filled" && leftOut.length === 0;
  let rows = 0;
  let hasBegun = false;
  const begin = async (): Promise<void> => {
    await session.begin();
    hasBegun = true;
    // The column's default is made of it for each row; it ends with the transaction.
    await session.query("SELECT set_config($1, $2, true)", [runSetting, String(run)]);
    await session.query(`LOCK TABLE ${table} IN ROW EXCLUSIVE MODE`);
    // From here on nobody can take the key away, without which one that comes twice is not noticed.
    isOpen = await hasPrimaryKey(session, table);
  };
  return {
    take: async (batch, csv) => {
      if (isOpen && !hasBegun) await begin();
      if (!isOpen) return false;
      isOpen = (await attempt(session, twice, () => copyRows(session, table, batch, csv))) !== undefined;
      if (isOpen) rows += batch.count;
      return isOpen;
    },
    rows: () => rows,
    finish: async () => ({ inserted: rows, isNew: false }),
    ended: () => {
      rows = 0;
      hasBegun = false;
    },
  };
}

async function hasPrimaryKey(session: Session, table: string): Promise<boolean> {
  const found = await session.query("SELECT 1 FROM pg_index WHERE indrelid = $1::regclass AND indisprimary", [
    table,
  ]);
  return found.length > 0;
}

/** The default of the column of the run, and how it is found again. */
export const runDefault = `DEFAULT nullif(current_setting('${runSetting}', true), '')::bigint`;

/** Whether a table has no row yet, and its column of the run the default that is needed here. */
export async function isEmptyTable(session: Session, table: string): Promise<boolean> {
  const [row] = await session.query<{ empty: boolean; ready: boolean }>(
    `SELECT NOT EXISTS (SELECT 1 FROM ${table}) AS empty, EXISTS (
       SELECT 1 FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
       WHERE d.adrelid = $1::regclass AND a.attname = $2 AND pg_get_expr(d.adbin, d.adrelid) LIKE $3
     ) AS ready`,
    [table, runColumn, `%${runSetting}%`],
  );
  return row?.empty === true && row.ready;
}
