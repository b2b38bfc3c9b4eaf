import { createOneAhead } from "deskbridge/sdk";
import type { RowChange, SinkTable } from "deskbridge/sdk";
import { cleanCsv } from "./clean-csv.ts";
import { definition, quoted } from "./column.ts";
import { copyRows } from "./copy-rows.ts";
import type { Session } from "./session.ts";
import type { Straight } from "./straight.ts";

/** Temporary tables of the session: rows to be put, and keys to be taken away, numbered in the order in which they came. */
export const stage = {
  rows: "pg_temp._deskbridge_rows",
  keys: "pg_temp._deskbridge_keys",
  order: "_deskbridge_order",
} as const;

/** Where changes wait for the commit. */
export interface Stage {
  /** Sends a change on its way; resolves when the one before it has been taken, so that reading and writing go on side by side. */
  readonly put: (change: RowChange) => Promise<void>;
  /** Resolves when everything has been taken; throws what went wrong, until it is cleared. */
  readonly settle: () => Promise<void>;
  /** Notes that rows are gone which it was given, so that nothing is committed without them. */
  readonly fail: (error: unknown) => void;
  /** Empties it; also what could not be taken is forgotten. */
  readonly clear: () => Promise<void>;
  readonly staged: () => { readonly upserts: number; readonly deletes: number; readonly bytes: number };
}

/** Makes the temporary tables. They go with the session. */
export async function openStage(session: Session, table: SinkTable, straight: Straight): Promise<Stage> {
  const order = quoted(stage.order);
  await session.query(`CREATE TEMPORARY SEQUENCE ${order}`);
  const numbered = `${order} bigint NOT NULL DEFAULT nextval('pg_temp.${stage.order}')`;
  const keys = table.columns.filter(({ name }) => table.key.includes(name));
  await session.query(
    `CREATE TEMPORARY TABLE _deskbridge_rows (${table.columns.map(definition).join(", ")}, ${numbered})`,
  );
  await session.query(
    `CREATE TEMPORARY TABLE _deskbridge_keys (${keys.map(definition).join(", ")}, ${numbered})`,
  );
  return createStage(session, straight);
}

function createStage(session: Session, straight: Straight): Stage {
  let counts = { upserts: 0, deletes: 0, bytes: 0 };
  const send = async ({ kind, batch }: RowChange): Promise<void> => {
    const csv = cleanCsv(batch);
    const bytes = counts.bytes + csv.reduce((sum, { length }) => sum + length, 0);
    const isStaged = counts.upserts + counts.deletes > 0;
    if (kind === "upsert" && !isStaged && (await straight.take(batch, csv))) {
      counts = { ...counts, bytes };
      return;
    }
    await copyRows(session, kind === "upsert" ? stage.rows : stage.keys, batch, csv);
    counts = {
      upserts: counts.upserts + (kind === "upsert" ? batch.count : 0),
      deletes: counts.deletes + (kind === "delete" ? batch.count : 0),
      bytes,
    };
  };
  let failure: { readonly error: unknown } | undefined;
  const fail = (error: unknown): void => {
    failure ??= { error };
  };
  const ahead = createOneAhead(async (change: RowChange) => {
    try {
      if (failure === undefined) await send(change);
    } catch (error) {
      fail(error);
      throw error;
    }
  });
  return {
    put: ahead.put,
    fail,
    settle: async () => {
      await ahead.settle();
      if (failure !== undefined) throw failure.error;
    },
    clear: async () => {
      await ahead.settle().catch(() => undefined);
      failure = undefined;
      await session.rollback();
      straight.ended(false);
      await session.query(`TRUNCATE ${stage.rows}, ${stage.keys}`);
      counts = { upserts: 0, deletes: 0, bytes: 0 };
    },
    staged: () => counts,
  };
}
