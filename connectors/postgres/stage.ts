import { AppError, createOneAhead } from "deskbridge/sdk";
import type { RowChange, SinkTable } from "deskbridge/sdk";
import { cleanCsv } from "./clean-csv.ts";
import { definition, listed, quoted } from "./column.ts";
import type { Session } from "./session.ts";

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
  /** Resolves when everything has been taken; throws what went wrong. */
  readonly settle: () => Promise<void>;
  /** Empties it; also what could not be taken is forgotten. */
  readonly clear: () => Promise<void>;
  readonly staged: () => { readonly upserts: number; readonly deletes: number; readonly bytes: number };
}

/** Makes the temporary tables. They go with the session. */
export async function openStage(session: Session, table: SinkTable): Promise<Stage> {
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
  return createStage(session);
}

function createStage(session: Session): Stage {
  let counts = { upserts: 0, deletes: 0, bytes: 0 };
  const send = async ({ kind, batch }: RowChange): Promise<void> => {
    const csv = cleanCsv(batch);
    const into = kind === "upsert" ? stage.rows : stage.keys;
    const columns = listed(batch.columns.map(({ name }) => name));
    const taken = await session.copyIn(
      `COPY ${into} (${columns}) FROM STDIN (FORMAT csv, ENCODING 'UTF8')`,
      csv,
    );
    // An end that the server saw where there was none would lose rows without a word.
    if (taken !== batch.count) {
      throw new AppError("target_protocol", `PostgreSQL took ${taken} of ${batch.count} rows.`);
    }
    counts = {
      upserts: counts.upserts + (kind === "upsert" ? taken : 0),
      deletes: counts.deletes + (kind === "delete" ? taken : 0),
      bytes: counts.bytes + csv.length,
    };
  };
  const { put, settle } = createOneAhead(send);
  return {
    put,
    settle,
    clear: async () => {
      await settle().catch(() => undefined);
      await session.query(`TRUNCATE ${stage.rows}, ${stage.keys}`);
      counts = { upserts: 0, deletes: 0, bytes: 0 };
    },
    staged: () => counts,
  };
}
