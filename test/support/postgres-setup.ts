import type { TestProject } from "vitest/node";
import { openEmbeddedPostgres } from "../../src/ledger/embedded.ts";
import { temporaryDataDir } from "./data-dir.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** The cluster of this run, for `test/support/postgres.ts`. */
    readonly postgresUrl: string;
  }
}

/** One PostgreSQL for a whole run of a vitest project; durability is off because the cluster goes with the run. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dataDir = await temporaryDataDir();
  const postgres = await openEmbeddedPostgres({
    dataDir: dataDir.path,
    settings: { fsync: "off", full_page_writes: "off", max_connections: "200" },
  }).catch(async (error: unknown) => {
    await dataDir.remove();
    throw error;
  });
  project.provide("postgresUrl", postgres.url);
  return async () => {
    await postgres.close();
    await dataDir.remove();
  };
}
