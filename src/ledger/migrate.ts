import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import type { Pool, PoolClient } from "pg";
import { escapeIdentifier } from "pg";
import { AppError } from "../errors.ts";

interface MigrateOptions {
  /** The schema that the tables live in; created when it is not there. */
  readonly schema: string;
  /** Holds the files `0001_name.sql`, `0002_name.sql` …, whose statements name tables without their schema. */
  readonly directory: URL;
}

interface Migration {
  readonly number: number;
  readonly name: string;
  readonly text: string;
  readonly checksum: string;
}

interface AppliedRow {
  readonly number: number;
  readonly name: string;
  readonly checksum: string;
}

/** Longer than any migration should take; the pool's own limit is meant for everyday statements. */
const patienceMs = 3_600_000;

/**
 * Brings a schema up to date: every file that was not applied yet, each in a transaction of its own, under an advisory lock, so that any number of
 * processes may start at once. Applied files are recorded in `<schema>.migration` with their checksum. Throws `ledger_schema_newer` when
 * the database has a migration that we lack or that has another text, and changes nothing then.
 */
export async function migrate(pool: Pool, { schema, directory }: MigrateOptions): Promise<void> {
  const migrations = await readMigrations(directory);
  const client = await pool.connect();
  try {
    while (await applyNext(client, schema, migrations));
  } finally {
    // Its settings differ from those of the other connections, so it does not go back to them.
    client.release(true);
  }
}

async function readMigrations(directory: URL): Promise<readonly Migration[]> {
  const files = (await readdir(directory)).filter((file) => file.endsWith(".sql")).sort();
  return Promise.all(
    files.map(async (file, index) => {
      const number = Number(/^(\d{4})_[a-z0-9_]+\.sql$/.exec(file)?.[1]);
      if (number !== index + 1) {
        const expected = String(index + 1).padStart(4, "0");
        throw new AppError(
          "internal",
          `migration ${file} is out of line; ${expected}_<name>.sql is expected`,
        );
      }
      // A checkout may have changed the line ends; the migration is the same.
      const text = (await readFile(new URL(file, directory), "utf8")).replaceAll("\r\n", "\n");
      const checksum = createHash("sha256").update(text).digest("hex");
      return { number, name: file.slice(0, -".sql".length), text, checksum };
    }),
  );
}

/** Applies the first file that is missing; false when there is none. */
async function applyNext(
  client: PoolClient,
  schema: string,
  migrations: readonly Migration[],
): Promise<boolean> {
  const run = async (text: string): Promise<void> => {
    // The types of the client leave out that a single query may have its own time limit.
    await client.query({ text, query_timeout: patienceMs } as { text: string });
  };
  await run("begin");
  // The lock belongs to the transaction, so it also works through a pooler that hands out another connection for each.
  await run("set local statement_timeout = 0; set local lock_timeout = 0");
  await run("select pg_advisory_xact_lock(hashtextextended('deskbridge migrate', 0))");
  const applied = await readApplied(client, schema);
  refuseForeign(schema, applied, migrations);
  const next = migrations[applied.length];
  if (next !== undefined) {
    if (applied.length === 0) await createHome(client, schema);
    await run(`set local search_path = ${escapeIdentifier(schema)}`);
    await run(next.text);
    await client.query(`insert into ${tableOf(schema)} (number, name, checksum) values ($1, $2, $3)`, [
      next.number,
      next.name,
      next.checksum,
    ]);
  }
  await run("commit");
  return next !== undefined;
}

async function readApplied(client: PoolClient, schema: string): Promise<readonly AppliedRow[]> {
  const found = await client.query<{ known: boolean }>("select to_regclass($1) is not null as known", [
    tableOf(schema),
  ]);
  if (found.rows[0]?.known !== true) return [];
  const { rows } = await client.query<AppliedRow>(
    `select number, name, checksum from ${tableOf(schema)} order by number`,
  );
  return rows;
}

function refuseForeign(
  schema: string,
  applied: readonly AppliedRow[],
  migrations: readonly Migration[],
): void {
  applied.forEach((row, index) => {
    const ours = migrations[index];
    if (ours?.number === row.number && ours.checksum === row.checksum) return;
    const what = ours === undefined ? "is not known to this version" : "was applied with another text";
    throw new AppError(
      "ledger_schema_newer",
      `migration ${row.name} of schema ${schema} ${what}; run the version of deskbridge that made the database, or a newer one`,
    );
  });
}

async function createHome(client: PoolClient, schema: string): Promise<void> {
  // Asked for first: `if not exists` alone needs the right to create schemas even where the schema is there.
  const { rows } = await client.query<{ known: boolean }>("select to_regnamespace($1) is not null as known", [
    escapeIdentifier(schema),
  ]);
  if (rows[0]?.known !== true) await client.query(`create schema ${escapeIdentifier(schema)}`);
  await client.query(
    `create table if not exists ${tableOf(schema)} (
       number integer primary key,
       name text not null,
       checksum text not null,
       applied_at timestamptz not null default clock_timestamp()
     )`,
  );
}

function tableOf(schema: string): string {
  return `${escapeIdentifier(schema)}.migration`;
}
