import { access, constants, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { Environment } from "../config/environment.ts";
import { toAppError } from "../errors.ts";
import { visitEmbeddedPostgres } from "../ledger/embedded-visit.ts";
import type { LedgerInspection } from "../ledger/inspect.ts";
import { inspectLedger } from "../ledger/inspect.ts";
import { openBullmqQueue } from "../queue/bullmq.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { Finding } from "./finding.ts";
import { failed, ok, warning } from "./finding.ts";
import { countOf } from "./table.ts";
import { durationText } from "./time-text.ts";

const oldestMajor = 14;
const tolerableSkewMs = 2000;

/** Whether the data directory, where one is needed, can be written. */
export async function examineDataDir(dataDir: string, environment: Environment): Promise<readonly Finding[]> {
  if (environment.databaseUrl !== undefined) return [];
  const path = resolve(dataDir);
  try {
    const existing = await nearestExisting(path);
    if (!(await stat(existing)).isDirectory()) {
      return [failed("data directory", `${existing} is a file; give another directory with --data`)];
    }
    await access(existing, constants.W_OK | constants.X_OK);
    return [ok("data directory", existing === path ? path : `${path}, to be made in ${existing}`)];
  } catch {
    return [
      failed("data directory", `${path} cannot be written; change its owner, or give another with --data`),
    ];
  }
}

async function nearestExisting(path: string): Promise<string> {
  try {
    await stat(path);
    return path;
  } catch (error) {
    const parent = dirname(path);
    if ((error as NodeJS.ErrnoException).code !== "ENOENT" || parent === path) throw error;
    return nearestExisting(parent);
  }
}

/** Whether the database answers, and what is in it. The embedded one is started for the look when it does not run. */
export async function examineDatabase(
  dataDir: string,
  environment: Environment,
  logger: Logger,
): Promise<readonly Finding[]> {
  try {
    if (environment.databaseUrl !== undefined) {
      return databaseFindings(await inspectLedger(environment.databaseUrl), "at DATABASE_URL");
    }
    const postgres = await visitEmbeddedPostgres({ dataDir: join(dataDir, "postgres"), logger });
    try {
      return databaseFindings(await inspectLedger(postgres.url), "embedded");
    } finally {
      await postgres.close();
    }
  } catch (error) {
    const { code, message } = toAppError(error);
    const place = environment.databaseUrl === undefined ? "the embedded PostgreSQL" : "DATABASE_URL";
    return [failed("database", `${code}: ${message} (${place})`)];
  }
}

/** What an inspection means. Pure. */
export function databaseFindings(inspection: LedgerInspection, place: string): readonly Finding[] {
  const { version, major, skewMs, migrations, counts } = inspection;
  const skew = Math.abs(skewMs);
  return [
    major >= oldestMajor
      ? ok("database", `PostgreSQL ${version}, ${place}`)
      : failed("database", `PostgreSQL ${version}, ${place}; ${oldestMajor} or newer is needed`),
    schemaFinding(migrations),
    skew <= tolerableSkewMs
      ? ok("clock", `${durationText(skew)} apart from the database's`)
      : failed("clock", `${durationText(skew)} apart from the database's; set both by NTP`),
    ...(counts === undefined ? [] : [deliveriesFinding(counts.deliveries)]),
  ];
}

function schemaFinding({ applied, known }: LedgerInspection["migrations"]): Finding {
  if (applied > known)
    return failed(
      "schema",
      "made by a newer deskbridge; run that one, or restore a backup from before the upgrade",
    );
  if (applied === known) return ok("schema", `up to date (${countOf(known, "migration")})`);
  if (applied === 0) return ok("schema", "not there yet; the first start makes it");
  return warning(
    "schema",
    `${countOf(known - applied, "migration")} behind; the next start brings it up to date`,
  );
}

function deliveriesFinding({ pending, dead }: { readonly pending: number; readonly dead: number }): Finding {
  const detail = `${pending.toLocaleString("en-US")} pending, ${dead.toLocaleString("en-US")} dead`;
  return dead === 0
    ? ok("deliveries", detail)
    : warning("deliveries", `${detail}; \`deskbridge dead list\` says why`);
}

/** Whether Redis answers, where it is used. */
export async function examineQueue({ redisUrl }: Environment, logger: Logger): Promise<Finding> {
  if (redisUrl === undefined) return ok("queue", "on PostgreSQL, since REDIS_URL is not set");
  try {
    const queue = await openBullmqQueue({ redisUrl, logger });
    try {
      await queue.ping();
      return ok("queue", "Redis answers");
    } finally {
      await queue.close();
    }
  } catch (error) {
    const { message } = toAppError(error);
    return failed("queue", `${message}; check REDIS_URL and the Redis there. No event is lost meanwhile`);
  }
}
