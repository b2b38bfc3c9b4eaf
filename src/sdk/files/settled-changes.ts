import { AppError } from "../../errors.ts";
import type { SinkTable } from "../sink.ts";
import { daysAtOnce, gatheredRows, groupDays } from "./day-groups.ts";
import type { Duckdb } from "./duckdb.ts";
import type { EarlyDays } from "./early-files.ts";
import type { SpoolFile } from "./spool.ts";
import { identifiers, sameKey } from "./sql.ts";
import { alike, dayName, definitions, selection } from "./staged-rows.ts";

/** What came since the last commit, one change a row. */
export interface SettledChanges {
  /** Rows of `staged`, the last of each key, none of them deleted later. */
  readonly rows: number;
  /** Bytes of CSV that they came in, duplicates included. */
  readonly bytes: number;
  /** Whether there are keys in the table `gone`. Some of them may have come again and be in `staged`. */
  readonly hasGone: boolean;
  /** Where the rows are when they were written as they came; `staged` and `staged_keys` are not there then. */
  readonly early: EarlyDays | undefined;
}

/** From this many rows on (of deletions), so many rows had been upserted: which of them a deletion takes away. */
export interface Mark {
  readonly first: number;
  readonly before: number;
}

/** What was staged, before it is settled. */
export interface StagedFacts {
  readonly db: Duckdb;
  readonly table: SinkTable;
  /** Names of the columns that are written. */
  readonly written: readonly string[];
  readonly upserts: number;
  readonly deletes: number;
  readonly bytes: number;
  readonly marks: readonly Mark[];
  readonly files: readonly SpoolFile[];
  readonly rowBytes: number;
}

/** Keeps the last change of each row, and makes `staged` and `staged_keys` of what was taken into `key_rows` and `gone`. */
export async function keepLast(facts: StagedFacts): Promise<SettledChanges> {
  const { db, table, upserts, deletes, bytes, marks } = facts;
  const { key } = table;
  const [counts] = await db.rows(
    `SELECT (SELECT count(*) FROM key_rows)::DOUBLE AS upserts, (SELECT count(*) FROM gone)::DOUBLE AS deletes,
      (SELECT count(*) FROM key_rows WHERE _day IS NULL OR NOT isfinite(_day))::DOUBLE AS dayless`,
  );
  if (counts?.["upserts"] !== upserts || counts["deletes"] !== deletes) {
    throw new AppError(
      "target_protocol",
      `table ${table.name}: batches do not hold as many rows as they say`,
    );
  }
  if (counts["dayless"] !== 0) {
    throw new AppError("target_rejected", `table ${table.name}: a row has no ${table.day}`);
  }
  await db.run("CREATE OR REPLACE TABLE losers (row BIGINT)");
  if (await hasRepeats(db, key)) await db.run(repeats(key));
  if (deletes > 0) await db.run(deletions(key, marks));
  await showRows(facts);
  const [left] = await db.rows("SELECT count(*)::DOUBLE AS rows FROM key_rows");
  return { rows: Number(left?.["rows"]), bytes, hasGone: deletes > 0, early: undefined };
}

/** Times that the files may be read rather than taken in. */
const mostReads = 4;

/** How the rows that came are spread over days. */
interface Spread {
  /** Whether rows of more days come mixed than DuckDB can write at a time. */
  readonly isMixed: boolean;
  /** Statements that they are written by. */
  readonly statements: number;
}

async function spreadOf(db: Duckdb, { upserts, bytes }: StagedFacts): Promise<Spread> {
  const found = await db.rows(
    `SELECT _day::VARCHAR AS day, count(*)::DOUBLE AS rows, (max(rowid) - min(rowid) + 1)::DOUBLE AS span
      FROM key_rows GROUP BY _day ORDER BY _day`,
  );
  const rowsOf = new Map(found.map(({ day, rows }) => [String(day), Number(rows)]));
  // How many days a stretch of rows is of, on average, as they came.
  const mixed = found.reduce((sum, { span }) => sum + Number(span), 0) / Math.max(upserts, 1);
  const groups = groupDays([...rowsOf.keys()], (day) => rowsOf.get(day) ?? 0, gatheredRows(upserts, bytes));
  return {
    isMixed: found.length > daysAtOnce() && mixed > daysAtOnce() / 4,
    statements: groups.length,
  };
}

/**
 * Makes `staged`. As long as every row counts and they came by day, it is the files themselves: taking them in would cost half as much as writing them. Else they
 * are taken in, and come under the same numbers as their keys did.
 */
async function showRows(facts: StagedFacts): Promise<void> {
  const { db, table, written } = facts;
  const names = [...written, dayName];
  const columns = table.columns.filter(({ name }) => written.includes(name));
  const { isMixed, statements } = await spreadOf(db, facts);
  await db.run("CREATE OR REPLACE VIEW staged_keys AS SELECT * FROM key_rows");
  const [lost] = await db.rows("SELECT count(*)::DOUBLE AS rows FROM losers");
  const queries = alike(facts.files).map((rows) => selection(table, rows, names, facts.rowBytes));
  if (queries.length > 0 && lost?.["rows"] === 0 && !isMixed && statements <= mostReads) {
    return db.run(`CREATE OR REPLACE VIEW staged AS ${queries.join(" UNION ALL ")}`);
  }
  await db.run(`CREATE OR REPLACE TABLE staged_rows (${definitions(columns)}, ${dayName} DATE)`);
  for (const query of queries) await db.run(`INSERT INTO staged_rows ${query}`);
  for (const name of ["staged_rows", "key_rows"]) {
    await db.run(`DELETE FROM ${name} WHERE rowid IN (SELECT row FROM losers)`);
  }
  if (isMixed) {
    await db.run(`CREATE OR REPLACE TABLE staged_by_day AS SELECT * FROM staged_rows ORDER BY ${dayName}`);
    await db.run("DROP TABLE staged_rows; ALTER TABLE staged_by_day RENAME TO staged_rows");
  }
  await db.run("CREATE OR REPLACE VIEW staged AS SELECT * FROM staged_rows");
}

/** Hashes take less memory than keys; where two keys share one, the exact search that follows finds nothing. */
async function hasRepeats(db: Duckdb, key: readonly string[]): Promise<boolean> {
  const [found] = await db.rows(
    `SELECT count(*) > 0 AS found FROM (SELECT 1 FROM key_rows GROUP BY _day HAVING count(*) > count(DISTINCT hash(${identifiers(key)})))`,
  );
  return found?.["found"] === true;
}

// Rows are numbered in the order in which they came.
function repeats(key: readonly string[]): string {
  return `INSERT INTO losers SELECT row FROM (
      SELECT rowid AS row, row_number() OVER (PARTITION BY ${identifiers(key)} ORDER BY rowid DESC) AS place FROM key_rows
      WHERE hash(${identifiers(key)}) IN (SELECT hash(${identifiers(key)}) FROM key_rows GROUP BY ALL HAVING count(*) > 1))
    WHERE place > 1`;
}

function deletions(key: readonly string[], marks: readonly Mark[]): string {
  const values = marks.map(({ first, before }) => `(${first}, ${before})`).join(", ");
  return `INSERT INTO losers SELECT DISTINCT s.rowid
    FROM (SELECT *, rowid AS row FROM gone) g ASOF JOIN (VALUES ${values}) m(first, before) ON g.row >= m.first
    JOIN key_rows s ON ${sameKey(key, "g", "s")} WHERE s.rowid < m.before`;
}
