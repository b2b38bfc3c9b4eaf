import type { TestProject } from "vitest/node";
import { openEmbeddedPostgres } from "../../src/ledger/embedded.ts";
import { migrate } from "../../src/ledger/migrate.ts";
import { openPool } from "../../src/ledger/pool.ts";
import { temporaryDataDir } from "./data-dir.ts";
import { databaseUrl, runOn } from "./postgres.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** The clusters of this run, for `test/support/postgres.ts`. */
    readonly postgresUrls: readonly string[];
  }
}

const schemas = {
  deskbridge: new URL("../../src/ledger/migrations/", import.meta.url),
  deskbridge_desk: new URL("../../src/desk/migrations/", import.meta.url),
};

interface Cluster {
  readonly url: string;
  readonly close: () => Promise<void>;
}

/**
 * PostgreSQL for a whole run of a vitest project. Test files that run at the same time have a cluster each: a transaction that is open holds up the change
 * feed of every database of its cluster.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const opening = Array.from({ length: project.config.maxWorkers }, openCluster);
  const opened = (await Promise.allSettled(opening)).flatMap((one) =>
    one.status === "fulfilled" ? one.value : [],
  );
  const close = async (): Promise<void> => void (await Promise.all(opened.map((cluster) => cluster.close())));
  if (opened.length < opening.length) {
    await close();
    await Promise.all(opening);
  }
  project.provide(
    "postgresUrls",
    opened.map(({ url }) => url),
  );
  return close;
}

/** Durability is off because the cluster goes with the run. */
async function openCluster(): Promise<Cluster> {
  const dataDir = await temporaryDataDir();
  try {
    const postgres = await openEmbeddedPostgres({
      dataDir: dataDir.path,
      settings: { fsync: "off", full_page_writes: "off", max_connections: "200" },
    });
    await makeTemplate(postgres.url);
    return { url: postgres.url, close: () => postgres.close().finally(dataDir.remove) };
  } catch (error) {
    await dataDir.remove();
    throw error;
  }
}

/** What `freshDatabase` copies: the migrations are run once rather than for each test file. */
async function makeTemplate(cluster: string): Promise<void> {
  await runOn(cluster, "CREATE DATABASE template_migrated");
  const pool = openPool(databaseUrl(cluster, "template_migrated"), {
    max: 1,
    applicationName: "template",
    options: "",
    onError: () => undefined,
  });
  try {
    for (const [schema, directory] of Object.entries(schemas)) await migrate(pool, { schema, directory });
  } finally {
    await pool.end();
  }
}
