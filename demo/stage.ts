import { randomBytes } from "node:crypto";
import { createWriteStream } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { App } from "../src/app.ts";
import { createApp } from "../src/app.ts";
import { registryOf } from "../src/cli/context.ts";
import { readEnvironment } from "../src/config/environment.ts";
import { createLogger } from "../src/telemetry/logger.ts";
import type { DataDir } from "./data-dir.ts";
import { openDataDir } from "./data-dir.ts";
import { openFakeShop } from "./shop/admin-api.ts";
import type { FakeShop } from "./shop/admin-api.ts";

export interface StageOptions {
  readonly dataDir: string | undefined;
  readonly port: number;
  readonly variables: Readonly<Record<string, string | undefined>>;
}

/** A running deskbridge and the shop that it is connected to. */
export interface Stage {
  readonly app: App;
  /** Where it answers. */
  readonly url: string;
  readonly shop: FakeShop;
  readonly clientSecret: string;
  readonly apiKey: string;
  /** How a reader of the terminal writes the key without seeing it. */
  readonly apiKeyText: string;
  readonly logFile: string;
  /** The folder of the Parquet files. */
  readonly lake: string;
  /** Where everything is still when it is closed; undefined when it is removed then. */
  readonly kept: string | undefined;
  readonly close: () => Promise<void>;
}

/** The configuration that the demo runs on. */
export const demoConfigPath = fileURLToPath(new URL("./deskbridge.yaml", import.meta.url));

/** The shop's name in the demo's configuration, and its address. */
export const shopConnection = "shop";
export const shopDomain = "kettle-and-cloth.myshopify.com";

/** The variables that the demo's configuration names. */
export function demoVariables(shop: FakeShop, clientSecret: string): Record<string, string> {
  return { DEMO_SHOP_SECRET: clientSecret, DEMO_SHOP_TOKEN: shop.accessToken, DEMO_SHOP_URL: shop.url };
}

/** Starts the shop and deskbridge beside it. On failure everything that was started is closed again; the caller closes the rest. */
export async function openStage(options: StageOptions): Promise<Stage> {
  const closers: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  try {
    const dataDir = await openDataDir(options.dataDir);
    closers.push(dataDir.remove);
    const shop = await openFakeShop();
    closers.push(shop.close);
    const clientSecret = randomBytes(24).toString("hex");
    const apiKey = options.variables["DESKBRIDGE_API_KEY"] || `demo-${randomBytes(24).toString("hex")}`;
    // Beside the warehouse that the usual configuration names: the two exports have nothing to do with each other.
    const lake = join(dataDir.path, "demo-warehouse");
    const variables = {
      ...options.variables,
      ...demoVariables(shop, clientSecret),
      DEMO_LAKE: lake,
      DESKBRIDGE_API_KEY: apiKey,
    };
    const logFile = join(dataDir.path, "deskbridge.log");
    const log = createWriteStream(logFile, { flags: "a", mode: 0o600 });
    closers.push(() => new Promise((resolve) => log.end(() => resolve())));
    const app = await createApp({
      configPath: demoConfigPath,
      environment: readEnvironment(variables),
      registry: registryOf(),
      dataDir: dataDir.path,
      port: options.port,
      roles: { serve: true, work: true },
      logger: createLogger({
        level: "info",
        secrets: [clientSecret, apiKey, shop.accessToken],
        destination: log,
      }),
    });
    closers.push(app.close);
    const apiKeyText = await keyText(options, dataDir, apiKey);
    const url = app.url ?? "";
    const kept = dataDir.isKept ? dataDir.path : undefined;
    return { app, url, shop, clientSecret, apiKey, apiKeyText, logFile, lake, kept, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The key itself is never printed: it stands in a file, or in the variable that it came from. */
async function keyText({ variables }: StageOptions, dataDir: DataDir, apiKey: string): Promise<string> {
  if (variables["DESKBRIDGE_API_KEY"]) return "$DESKBRIDGE_API_KEY";
  const file = join(dataDir.path, "api-key");
  await writeFile(file, apiKey, { mode: 0o600 });
  return `$(cat ${file})`;
}
