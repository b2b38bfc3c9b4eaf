import { runColumn } from "deskbridge/sdk";
import type { SinkTable } from "deskbridge/sdk";
import { definition, listed, quoted } from "./column.ts";
import type { Session } from "./session.ts";
import { runDefault } from "./straight.ts";

/** Makes a table, with its key and its index. To be called in a transaction. */
export async function makeTable(session: Session, name: string, table: SinkTable): Promise<void> {
  await makeBareTable(session, name, table, runDefault);
  await addIndexes(session, name, table);
}

/** Makes a table that has neither its key nor an index yet. `ofRun` is the default of its column of the run, as SQL. */
export async function makeBareTable(
  session: Session,
  name: string,
  { columns, key }: SinkTable,
  ofRun: string,
): Promise<void> {
  // What a primary key would make of them anyway, but for the look through all rows.
  const defined = columns.map((one) => `${definition(one)}${key.includes(one.name) ? " NOT NULL" : ""}`);
  const run = `${quoted(runColumn)} bigint NOT NULL ${ofRun}`;
  await session.query(`CREATE TABLE ${name} (${[...defined, run].join(", ")})`);
}

/** Gives a table its key and the index on the day. Throws for a key that is there twice (23505). */
export async function addIndexes(session: Session, name: string, { key, day }: SinkTable): Promise<void> {
  await session.query(`ALTER TABLE ${name} ADD PRIMARY KEY (${listed(key)})`);
  // Where the key begins with the day, the key's index does.
  if (key[0] !== day) await session.query(`CREATE INDEX ON ${name} (${quoted(day)})`);
}

/**
 * Whether a table may be made with its first rows, under another name until then: not where rows are told to others as they are written, with the name that the table has then, nor where tables are
 * kept in another way than in PostgreSQL's own.
 */
export async function mayBeMadeLater(session: Session): Promise<boolean> {
  const [row] = await session.query<{ may: boolean }>(
    `SELECT NOT EXISTS (SELECT 1 FROM pg_publication)
       AND coalesce(current_setting('default_table_access_method', true), 'heap') = 'heap' AS may`,
  );
  return row?.may === true;
}
