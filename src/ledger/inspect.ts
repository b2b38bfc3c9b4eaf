import { readdir } from "node:fs/promises";
import type { Pool } from "pg";
import { toLedgerError } from "./fault.ts";
import { openPool } from "./pool.ts";
import { ledgerSchema } from "./postgres.ts";
import type { LedgerCounts } from "./reader.ts";
import { createLedgerReader } from "./reader.ts";

/** What a look at the ledger's database found. */
export interface LedgerInspection {
  /** Such as `18.4`. */
  readonly version: string;
  readonly major: number;
  /** The database's clock less ours, in milliseconds; right to half of the time that the question took. */
  readonly skewMs: number;
  /** How many of this program's migrations the database has, and how many there are. It may have more: those of a newer version. */
  readonly migrations: { readonly applied: number; readonly known: number };
  /** Undefined when the schema is not that of this program. */
  readonly counts: LedgerCounts | undefined;
}

/** Looks at a ledger without changing it: no migration is run. Throws `ledger_unavailable` when the database cannot be reached. */
export async function inspectLedger(databaseUrl: string): Promise<LedgerInspection> {
  const pool = openPool(databaseUrl, {
    max: 2,
    applicationName: "deskbridge-doctor",
    options: `-c search_path=${ledgerSchema}`,
    onError: () => undefined,
  });
  try {
    const server = await readServer(pool);
    const migrations = { applied: await countApplied(pool), known: await countKnown() };
    const isOurs = migrations.applied === migrations.known;
    const counts = isOurs ? await createLedgerReader(pool).counts() : undefined;
    return { ...server, migrations, counts };
  } catch (error) {
    throw toLedgerError(error);
  } finally {
    await pool.end();
  }
}

interface ServerRow {
  readonly version: string;
  readonly number: number;
  readonly now: Date;
}

async function readServer(pool: Pool): Promise<Pick<LedgerInspection, "version" | "major" | "skewMs">> {
  // The first question also pays for the connection, which would count as skew.
  await pool.query("select 1");
  const asked = Date.now();
  const { rows } = await pool.query<ServerRow>(
    `select current_setting('server_version') as version, current_setting('server_version_num')::int as number,
       clock_timestamp() as now`,
  );
  const middle = (asked + Date.now()) / 2;
  const { version, number, now } = rows[0] as ServerRow;
  return {
    version: version.split(" ")[0] ?? version,
    major: Math.floor(number / 10_000),
    skewMs: now.getTime() - middle,
  };
}

async function countApplied(pool: Pool): Promise<number> {
  const table = `${ledgerSchema}.migration`;
  const { rows: found } = await pool.query<{ there: boolean }>(
    "select to_regclass($1) is not null as there",
    [table],
  );
  if (found[0]?.there !== true) return 0;
  const { rows } = await pool.query<{ count: number }>(`select count(*) as count from ${table}`);
  return rows[0]?.count ?? 0;
}

async function countKnown(): Promise<number> {
  const files = await readdir(new URL("./migrations/", import.meta.url));
  return files.filter((file) => file.endsWith(".sql")).length;
}
