import { AppError } from "deskbridge/sdk";
import type { CheckResult } from "deskbridge/sdk";
import type { Config } from "./config.ts";
import { openSession } from "./session.ts";

/** What is told of a database by `deskbridge doctor`: whether it answers, and whether tables can be made in the schema. */
export async function checkDatabase(config: Config, signal: AbortSignal): Promise<readonly CheckResult[]> {
  try {
    const session = await openSession(config, signal);
    try {
      const [row] = await session.query<{
        version: string;
        schema: boolean;
        make: boolean | null;
        any: boolean;
      }>(
        `SELECT current_setting('server_version') AS version, to_regnamespace(quote_ident($1)) IS NOT NULL AS schema,
           CASE WHEN to_regnamespace(quote_ident($1)) IS NULL THEN NULL ELSE has_schema_privilege($1, 'CREATE') AND has_schema_privilege($1, 'USAGE') END AS make,
           has_database_privilege(current_database(), 'CREATE') AS any`,
        [config.schema],
      );
      return [
        {
          name: "database",
          ok: true,
          detail: `PostgreSQL ${row?.version ?? "of an unknown version"} answers`,
        },
        schemaResult(config.schema, row),
      ];
    } finally {
      await session.close();
    }
  } catch (error) {
    const detail =
      error instanceof AppError ? error.message : "the database does not answer as PostgreSQL does";
    return [{ name: "database", ok: false, detail: `${detail} Check \`url\`.` }];
  }
}

function schemaResult(
  schema: string,
  row: { readonly schema: boolean; readonly make: boolean | null; readonly any: boolean } | undefined,
): CheckResult {
  const isThere = row?.schema === true;
  const ok = isThere ? row.make === true : row?.any === true;
  const state = isThere ? "is there" : "will be made";
  const detail = ok
    ? `the schema ${schema} ${state}, and tables can be made in it`
    : `the account may not make ${isThere ? `tables in the schema ${schema}` : `the schema ${schema}`}; grant it CREATE`;
  return { name: "schema", ok, detail };
}
