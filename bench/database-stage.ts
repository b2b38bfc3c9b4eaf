import { openEmbeddedPostgres } from "../src/ledger/embedded.ts";
import { temporaryDataDir } from "../test/support/data-dir.ts";
import type { Database } from "./database.ts";
import { createDatabase } from "./database.ts";

/** A PostgreSQL alone, with the settings of production: every commit goes to the disk. */
export interface DatabaseStage {
  readonly freshDatabase: () => Promise<Database>;
  readonly close: () => Promise<void>;
}

/** `settings` go over our own. */
export async function openDatabaseStage(
  settings: Readonly<Record<string, string>> = {},
): Promise<DatabaseStage> {
  const dataDir = await temporaryDataDir();
  const postgres = await openEmbeddedPostgres({ dataDir: `${dataDir.path}/postgres`, settings });
  return {
    freshDatabase: () => createDatabase(postgres.url),
    close: async () => {
      await postgres.close();
      await dataDir.remove();
    },
  };
}
