import { openEmbeddedPostgres } from "../src/ledger/embedded.ts";
import { temporaryDataDir } from "../test/support/data-dir.ts";
import type { Database } from "./database.ts";
import { createDatabase } from "./database.ts";

/** A PostgreSQL alone, with the settings of production: every commit goes to the disk. */
export interface DatabaseStage {
  readonly freshDatabase: () => Promise<Database>;
  readonly close: () => Promise<void>;
}

export async function openDatabaseStage(): Promise<DatabaseStage> {
  const dataDir = await temporaryDataDir();
  const postgres = await openEmbeddedPostgres({ dataDir: `${dataDir.path}/postgres` });
  return {
    freshDatabase: () => createDatabase(postgres.url),
    close: async () => {
      await postgres.close();
      await dataDir.remove();
    },
  };
}
