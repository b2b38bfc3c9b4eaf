import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { Environment } from "./config/environment.ts";
import type { Config, DeskConfig } from "./config/config.ts";
import { requireConfig } from "./config/require-config.ts";
import { createDiskFiles } from "./desk/attachment-disk.ts";
import { openS3Files } from "./desk/attachment-s3.ts";
import type { AttachmentOptions } from "./desk/attachments.ts";
import type { SupportDesk } from "./desk/desk.ts";
import { openDesk } from "./desk/desk.ts";
import type { WebhookSending } from "./desk/webhooks.ts";
import { watchExports } from "./export/gauges.ts";
import type { ExportTimetables } from "./export/timetables.ts";
import { startExportTimetables } from "./export/timetables.ts";
import type { Foundation } from "./foundation.ts";
import { openFoundation } from "./foundation.ts";
import type { OpenSetup } from "./jobs/connections.ts";
import { openSetup } from "./jobs/connections.ts";
import type { Engine } from "./jobs/engine.ts";
import type { Intake } from "./jobs/intake.ts";
import { createIntake } from "./jobs/intake.ts";
import type { Workers } from "./jobs/workers.ts";
import { startWorkers } from "./jobs/workers.ts";
import type { LedgerReader } from "./ledger/reader.ts";
import { createLedgerReader } from "./ledger/reader.ts";
import type { Registry } from "./registry/registry.ts";
import { createSweeper } from "./schedule/sweeper.ts";
import type { Timetables } from "./schedule/timetables.ts";
import { startTimetables } from "./schedule/timetables.ts";
import { startFrontDoor, startPrivateDesk } from "./front-door.ts";
import type { FrontDoor } from "./front-door.ts";
import { createCrashPoint } from "./telemetry/crash-point.ts";
import type { Logger } from "./telemetry/logger.ts";
import { createLogger } from "./telemetry/logger.ts";
import type { Redactor } from "./telemetry/redaction.ts";
import { createRedactor } from "./telemetry/redaction.ts";
import { createMetrics } from "./telemetry/metrics.ts";

export interface AppOptions {
  /** A YAML file or a folder of them. */
  readonly configPath: string;
  readonly environment: Environment;
  readonly registry: Registry;
  /** Where the embedded PostgreSQL and its password live. */
  readonly dataDir: string;
  /** Over the configuration's port; 0 takes a free one. */
  readonly port?: number;
  /** `serve` answers HTTP (hooks, Support API, health); `work` works on lanes and keeps the timetables. Neither is for commands. */
  readonly roles: { readonly serve: boolean; readonly work: boolean };
  /** For a command that reads from the built-in desk: it answers this process alone, unless the environment names one that answers. */
  readonly opensDesk?: boolean;
  /** Instead of one that is made from the configuration. */
  readonly logger?: Logger;
  /** Instead of what is at `configPath`, until it is loaded again. */
  readonly config?: Config;
}

/** A running deskbridge. */
export interface App {
  readonly engine: Engine;
  readonly intake: Intake;
  readonly reader: LedgerReader;
  readonly desk: SupportDesk | undefined;
  readonly databaseUrl: string;
  /** Where it answers, undefined when it does not serve. */
  readonly url: string | undefined;
  /** Loads the configuration again and swaps it in whole. Throws `config_invalid` and changes nothing when it has an error. */
  readonly reload: () => Promise<void>;
  /** Stops taking work, finishes what is under way within the configured time, closes everything. Safe to call twice. */
  readonly close: () => Promise<void>;
}

/** How long a replaced connection stays open for calls that are under way. */
const oldSetupGraceMs = 60_000;

/** Starts deskbridge in the roles given. On failure everything that was started is closed again. */
export async function createApp(options: AppOptions): Promise<App> {
  const config =
    options.config ?? (await requireConfig(options.configPath, options.environment, options.registry));
  const secrets = [...config.secrets, options.environment.apiKey ?? ""].filter((secret) => secret !== "");
  const redactor = createRedactor(secrets);
  const logger = options.logger ?? createLogger({ level: config.server.logLevel, redactor });
  const metrics = createMetrics({ withProcess: true });
  const crashPoint = createCrashPoint(options.environment.crashAt);
  const foundation = await openFoundation({
    environment: options.environment,
    crashPoint,
    dataDir: options.dataDir,
    logger,
    metrics,
    maxWaitingAppends: config.server.maxWaitingAppends,
    visiting: !options.roles.serve && !options.roles.work,
  });
  const parts: Parts = { setup: undefined };
  const engine: Engine = {
    ledger: foundation.ledger,
    queue: foundation.queue,
    budget: foundation.budget,
    metrics,
    logger,
    setup: () => {
      if (parts.setup === undefined) throw new Error("the setup is asked for before it is open");
      return parts.setup;
    },
    now: Date.now,
    random: Math.random,
    crashPoint,
  };
  try {
    return await startApp(options, config, foundation, engine, { parts, redactor });
  } catch (error) {
    await closeParts(parts, 0);
    await foundation.close();
    throw error;
  }
}

/** What has been started so far, so that it can be closed in the right order at any time. */
interface Parts {
  setup: OpenSetup | undefined;
  frontDoor?: FrontDoor;
  privateDesk?: Pick<FrontDoor, "url" | "close">;
  desk?: SupportDesk;
  webhooks?: WebhookSending;
  workers?: Workers;
  timetables?: Timetables;
  exports?: ExportTimetables;
}

async function startApp(
  options: AppOptions,
  config: Config,
  foundation: Foundation,
  engine: Engine,
  { parts, redactor }: { readonly parts: Parts; readonly redactor: Redactor },
): Promise<App> {
  const { environment, registry, roles } = options;
  const intake = createIntake(engine);
  // Without a key of the operator's the desk in this process gets one that nobody else knows.
  const key = environment.apiKey ?? randomBytes(24).toString("base64url");
  const ownUrl = await openOwnDesk(options, config, { foundation, engine, intake, parts, key });
  const builtIn = builtInDesk(ownUrl, key, environment, roles.work);
  const open = (next: Config): Promise<OpenSetup> =>
    openSetup(next, {
      registry,
      logger: engine.logger,
      now: engine.now,
      builtIn,
      budget: engine.budget,
      tokens: engine.ledger.tokens,
    });
  parts.setup = await open(config);
  watchExports(engine);
  if (roles.work)
    await startWork(parts, engine, intake, () =>
      sendWebhooks(parts, engine, environment, foundation.databaseUrl),
    );

  const load = async (): Promise<void> => {
    const next = await requireConfig(options.configPath, environment, registry);
    redactor.add(next.secrets);
    await swapSetup(parts, await open(next));
  };
  let reloading = Promise.resolve();
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    await closeParts(parts, engine.setup().config.server.shutdownMs);
    await foundation.close();
  };
  return {
    engine,
    intake,
    reader: createLedgerReader(foundation.ledger.pool),
    desk: parts.desk,
    databaseUrl: foundation.databaseUrl,
    url: parts.frontDoor?.url,
    // One after the other: the last one asked for is the one that stays.
    reload: () => (reloading = reloading.catch(() => undefined).then(load)),
    close: () => (closing ??= close()),
  };
}

async function startWork(
  parts: Parts,
  engine: Engine,
  intake: Intake,
  startSending: () => Promise<WebhookSending>,
): Promise<void> {
  parts.workers = await startWorkers(engine);
  parts.timetables = await startTimetables(engine, intake);
  parts.exports = await startExportTimetables(engine);
  parts.webhooks = await startSending();
  // Rings that a crash took along are rung again now rather than at the sweeper's next time.
  await createSweeper(engine).sweep(0);
}

/** Sends from the desk of this process; a process that only works opens it for that, and does not serve it. */
async function sendWebhooks(
  parts: Parts,
  engine: Engine,
  { webhookAllowHosts }: Environment,
  databaseUrl: string,
): Promise<WebhookSending> {
  const { queue, random, metrics, logger, now } = engine;
  parts.desk ??= await openDesk({ databaseUrl, logger, now, webhookAllowHosts });
  const { retentionMs } = engine.setup().config.server;
  const sending = await parts.desk.sendWebhooks({
    queue,
    random,
    retentionMs,
    onAttempt: metrics.webhookAttempt,
  });
  metrics.onScrape(async (gauges) => gauges.webhooksFailing(await sending.countFailing()));
  return sending;
}

interface DoorParts {
  readonly foundation: Foundation;
  readonly engine: Engine;
  readonly intake: Intake;
  readonly parts: Parts;
  readonly key: string;
}

/** Where the desk in this process answers, undefined when there is none. */
async function openOwnDesk(
  options: AppOptions,
  config: Config,
  door: DoorParts,
): Promise<string | undefined> {
  if (options.roles.serve) await openDoor(options, config, door);
  else if (options.opensDesk === true) await openPrivateDesk(options, config, door);
  return door.parts.frontDoor?.url ?? door.parts.privateDesk?.url;
}

async function openDoor(
  { environment, port, dataDir }: AppOptions,
  { server, desk }: Config,
  { foundation, engine, intake, parts, key }: DoorParts,
): Promise<void> {
  parts.desk = await openDesk({
    databaseUrl: foundation.databaseUrl,
    logger: engine.logger,
    now: engine.now,
    bootstrapKey: key,
    webhookAllowHosts: environment.webhookAllowHosts,
    endUsers: desk.endUsers,
    attachments: await openAttachments(dataDir, desk, server.publicUrl),
    limits: desk.limits,
  });
  const { lastDay } = parts.desk;
  engine.metrics.onScrape(async (gauges) => gauges.supportDay(await lastDay()));
  parts.frontDoor = await startFrontDoor({
    engine,
    intake,
    desk: parts.desk,
    server: { ...server, host: environment.host ?? server.host, port: port ?? server.port },
    isReady: () => parts.setup !== undefined,
  });
}

async function openPrivateDesk(
  { environment }: AppOptions,
  { server: { maxBodyBytes } }: Config,
  { foundation: { databaseUrl }, engine, parts, key }: DoorParts,
): Promise<void> {
  if (environment.deskUrl !== undefined && environment.apiKey !== undefined) return;
  const { logger, now } = engine;
  parts.desk = await openDesk({ databaseUrl, logger, now, bootstrapKey: key });
  parts.privateDesk = await startPrivateDesk(parts.desk, { logger, maxBodyBytes });
}

async function openAttachments(
  dataDir: string,
  { attachments: { s3, ...settings } }: DeskConfig,
  publicUrl: string | undefined,
): Promise<AttachmentOptions> {
  const files = s3 === undefined ? createDiskFiles(join(dataDir, "attachments")) : await openS3Files(s3);
  return { ...settings, files, publicUrl };
}

async function swapSetup(parts: Parts, next: OpenSetup): Promise<void> {
  const old = parts.setup;
  parts.setup = next;
  await parts.workers?.refresh();
  await parts.timetables?.refresh();
  await parts.exports?.refresh();
  if (old !== undefined) setTimeout(() => void old.close(), oldSetupGraceMs).unref();
}

/** The desk in this process, or the one that the environment names for processes without. */
function builtInDesk(
  ownUrl: string | undefined,
  key: string,
  environment: Environment,
  writes: boolean,
): { readonly url: string; readonly apiKey: string } | undefined {
  if (ownUrl !== undefined) return { url: ownUrl, apiKey: key };
  const { deskUrl, apiKey } = environment;
  if (deskUrl !== undefined && apiKey !== undefined) return { url: deskUrl, apiKey };
  // A command reads from connections and writes to none: its desk need not answer, only open.
  return writes ? undefined : { url: "http://127.0.0.1", apiKey: key };
}

/** First nothing new comes in, then what is under way ends, then the door closes behind it: the workers write to the desk to the last. */
async function closeParts(parts: Parts, withinMs: number): Promise<void> {
  parts.frontDoor?.stopTaking();
  await Promise.all([
    parts.timetables?.close(withinMs),
    parts.exports?.close(withinMs),
    parts.workers?.close(withinMs),
    parts.webhooks?.close(withinMs),
  ]);
  await parts.frontDoor?.close();
  await parts.setup?.close();
  await parts.privateDesk?.close();
  await parts.desk?.close();
}
