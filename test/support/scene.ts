import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { openDesk } from "../../src/desk/desk.ts";
import type { Scope } from "../../src/desk/scope.ts";
import { pino } from "pino";
import type { DeskbridgeProcess } from "./deskbridge-process.ts";
import { deskbridgeHome } from "./deskbridge-process.ts";
import { freshDatabase } from "./postgres.ts";

type Json = Readonly<Record<string, unknown>>;

/** A real `deskbridge up` on a database of its own, and calls to its Support API. */
export interface Scene {
  readonly process: DeskbridgeProcess;
  readonly databaseUrl: string;
  /** The key of the process itself. */
  readonly adminKey: string;
  /** A call that has to succeed; with the admin key unless told. */
  readonly ask: <T = Json>(method: string, path: string, body?: object, key?: string) => Promise<T>;
  /** Makes an API key; what examples and people are given. */
  readonly newKey: (
    name: string,
    scopes: readonly Scope[],
  ) => Promise<{ readonly id: string; readonly key: string }>;
  readonly close: () => Promise<void>;
}

interface SceneOptions {
  /** YAML; a desk alone unless told. */
  readonly config?: string;
  readonly variables?: Readonly<Record<string, string>>;
}

const adminKey = "a-key-of-the-worker-alone";

export async function openScene(options: SceneOptions = {}): Promise<Scene> {
  const { config = "connections: { desk: { use: deskbridge } }\n", variables = {} } = options;
  const home = await deskbridgeHome();
  const database = await freshDatabase();
  const file = join(home.dataDir, "deskbridge.yaml");
  await writeFile(file, config);
  const process = await home.start({
    config: file,
    variables: { DATABASE_URL: database.url, DESKBRIDGE_API_KEY: adminKey, ...variables },
  });
  return {
    process,
    databaseUrl: database.url,
    adminKey,
    close: async () => {
      await home.remove();
      await database.drop();
    },
    ask: async <T>(method: string, path: string, body?: object, key = adminKey) => {
      const answer = await fetch(process.url + path, {
        method,
        headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await answer.text();
      expect([method, path, answer.ok, text]).toEqual([method, path, true, text]);
      return JSON.parse(text) as T;
    },
    newKey: async (name, scopes) => {
      const logger = pino({ level: "silent" });
      const desk = await openDesk({ databaseUrl: database.url, logger, now: Date.now, maxConnections: 1 });
      try {
        return await desk.keys.create(name, [...scopes]);
      } finally {
        await desk.close();
      }
    },
  };
}
