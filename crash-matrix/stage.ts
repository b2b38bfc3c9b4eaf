import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import pg from "pg";
import { openEmbeddedPostgres } from "../src/ledger/embedded.ts";
import { temporaryDataDir } from "../test/support/data-dir.ts";
import type { DeskbridgeHome, ProcessOptions } from "../test/support/deskbridge-process.ts";
import { deskbridgeHome } from "../test/support/deskbridge-process.ts";
import type { TestRedis } from "../test/support/redis.ts";
import { startRedis } from "../test/support/redis.ts";
import { comparedTables } from "./export-judge.ts";
import type { QueueKind, SinkKind, TargetKind, Way } from "./setting.ts";
import {
  configText,
  exportConfigText,
  queueKinds,
  shopSecret,
  sinkKinds,
  targetKinds,
  ways,
} from "./setting.ts";

/** A database of one run's own, and a Redis database where the queue is there. */
export interface Stores {
  readonly databaseUrl: string;
  readonly redisUrl: string | undefined;
  readonly drop: () => Promise<void>;
}

/** One PostgreSQL and one Redis for all runs. */
export interface Stage {
  readonly freshStores: (queue: QueueKind) => Promise<Stores>;
  /** The path of the configuration for a kind of target, and the way there. */
  readonly config: (target: TargetKind, way: Way) => string;
  /** The path of a configuration that exports the desk in the process itself. */
  readonly exportConfig: (sink: SinkKind) => string;
  /** What every process is started with, besides its configuration and variables. */
  readonly program: Pick<ProcessOptions, "program">;
  /** To be given to `--import`: makes the clock of a process wrong by `CLOCK_OFF_MS`. */
  readonly clockPreload: string;
  /** Variables that every process gets. */
  readonly variables: Readonly<Record<string, string>>;
  readonly openHome: () => Promise<DeskbridgeHome>;
  readonly close: () => Promise<void>;
}

const program = join(import.meta.dirname, "child-deskbridge.ts");
const clockPreload = join(import.meta.dirname, "preload-clock.ts");
const redisDatabases = 4096;

/** Starts both servers, and makes a database for each kind of queue that is up to date already: runs begin with copies of it. */
export async function openStage(): Promise<Stage> {
  const closers: (() => Promise<unknown>)[] = [];
  const homes = new Set<DeskbridgeHome>();
  const close = async (): Promise<void> => {
    // Those of runs that were over are gone already; what is left are the processes of runs that are cut off.
    await Promise.all([...homes].map((home) => home.remove().catch(() => undefined)));
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  try {
    const folder = await temporaryDataDir();
    closers.push(folder.remove);
    const config = (target: TargetKind, way: Way): string => join(folder.path, `${target}-${way}.yaml`);
    for (const target of targetKinds)
      for (const way of ways) await writeFile(config(target, way), configText(target, way));
    const exportConfig = (sink: SinkKind): string => join(folder.path, `export-${sink}.yaml`);
    for (const sink of sinkKinds) await writeFile(exportConfig(sink), exportConfigText(sink, comparedTables));
    const redis = await startRedis(["--databases", String(redisDatabases)]);
    closers.push(redis.stop);
    // A kill of deskbridge takes nothing from the files that PostgreSQL has written, and the cluster goes with the run.
    const postgres = await openEmbeddedPostgres({
      dataDir: join(folder.path, "postgres"),
      settings: { fsync: "off", full_page_writes: "off", max_connections: "400" },
    });
    closers.push(postgres.close);
    const stage: Stage = {
      freshStores: createStores(postgres.url, redis),
      config,
      exportConfig,
      program: { program },
      clockPreload,
      // Without it every process would spend most of its start on reading the same sources again.
      variables: {
        NODE_ENV: "test",
        SHOP_SECRET: shopSecret,
        NODE_COMPILE_CACHE: join(folder.path, "compiled"),
      },
      openHome: async () => {
        const home = await deskbridgeHome();
        homes.add(home);
        return home;
      },
      close,
    };
    for (const queue of queueKinds) await makeTemplate(stage, queue);
    return stage;
  } catch (error) {
    await close();
    throw error;
  }
}

const templateOf = (queue: QueueKind): string => `template_${queue}`;

function createStores(cluster: string, redis: TestRedis): Stage["freshStores"] {
  let runs = 0;
  return async (queue) => {
    runs += 1;
    const { databaseUrl, drop } = await createDatabase(cluster, templateOf(queue));
    return {
      databaseUrl,
      redisUrl: queue === "redis" ? `${redis.url}/${runs % redisDatabases}` : undefined,
      drop,
    };
  };
}

/** Makes a database on a cluster, as a copy of another where there is one of that name. */
export async function createDatabase(
  cluster: string,
  template?: string,
): Promise<Pick<Stores, "databaseUrl" | "drop">> {
  const name = `run_${randomBytes(6).toString("hex")}`;
  const known =
    template !== undefined &&
    (await ask(cluster, `select 1 from pg_database where datname = '${template}'`)) > 0;
  await ask(cluster, `create database ${name}${known ? ` template ${template} strategy file_copy` : ""}`);
  const url = new URL(cluster);
  url.pathname = `/${name}`;
  return {
    databaseUrl: url.href,
    drop: async () => void (await ask(cluster, `drop database if exists ${name} with (force)`)),
  };
}

async function ask(url: string, statement: string): Promise<number> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(statement)).rowCount ?? 0;
  } finally {
    await client.end();
  }
}

/** Lets deskbridge itself bring an empty database up to date, and keeps it under the name of the template. */
async function makeTemplate(stage: Stage, queue: QueueKind): Promise<void> {
  const { databaseUrl, redisUrl } = await stage.freshStores(queue);
  const home = await stage.openHome();
  try {
    const started = await home.start({
      ...stage.program,
      config: stage.config("keyed", "direct"),
      variables: {
        ...stage.variables,
        DATABASE_URL: databaseUrl,
        ...(redisUrl === undefined ? {} : { REDIS_URL: redisUrl }),
        SHOP_URL: "http://127.0.0.1:9",
        DESK_URL: "http://127.0.0.1:9",
      },
    });
    await started.stop();
  } finally {
    await home.remove();
  }
  const admin = new URL(databaseUrl);
  const name = admin.pathname.slice(1);
  admin.pathname = "/postgres";
  await ask(admin.href, `alter database ${name} rename to ${templateOf(queue)}`);
}
