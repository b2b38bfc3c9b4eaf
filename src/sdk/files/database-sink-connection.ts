import { dirname, resolve } from "node:path";
import { AppError } from "../../errors.ts";
import type { CheckResult, Connection, ConnectorContext } from "../connector.ts";
import { checkFolder } from "./check-folder.ts";
import type { DatabaseSinkConfig } from "./database-sink-config.ts";
import { createDatabaseSink, openWarehouse } from "./database-sink.ts";

/** A connection to a database file. */
export function createDatabaseSinkConnection(
  { path, schema, workDir }: DatabaseSinkConfig,
  { now }: ConnectorContext,
): Connection {
  const file = resolve(path);
  const folder = workDir === undefined ? undefined : resolve(workDir);
  return {
    sink: createDatabaseSink({ path: file, schema, workDir: folder, now }),
    check: async (signal) => [
      ...(await checkFolder(folder ?? dirname(file))),
      await checkDatabase(file, signal),
    ],
  };
}

async function checkDatabase(path: string, signal: AbortSignal): Promise<CheckResult> {
  try {
    const db = await openWarehouse(path, signal);
    db.close();
    return { name: "database", ok: true, detail: `${path} can be opened` };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return { name: "database", ok: false, detail: error.message };
  }
}
