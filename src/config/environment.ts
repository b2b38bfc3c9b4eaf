import { AppError } from "../errors.ts";

/** The variables of the environment that deskbridge itself reads; those named in the configuration as `${NAME}` come on top. */
export interface Environment {
  /** A PostgreSQL 14 or newer. Without it one runs embedded in the data directory. */
  readonly databaseUrl: string | undefined;
  /** A Redis for BullMQ. Without it BullMQ runs on PostgreSQL. */
  readonly redisUrl: string | undefined;
  /** An admin key of the built-in Support API that is always valid. */
  readonly apiKey: string | undefined;
  /** Over the configuration's address to listen on; the container image sets it. */
  readonly host: string | undefined;
  /** Where processes without the Support API of their own find it. */
  readonly deskUrl: string | undefined;
  /** Where a test wants this process to end, as `createCrashPoint` takes it; never set outside of one. */
  readonly crashAt: string | undefined;
  /** Hosts, addresses and ranges that webhooks may go to although they are not public. */
  readonly webhookAllowHosts: readonly string[];
  readonly variables: Readonly<Record<string, string | undefined>>;
}

/**
 * Reads the environment once; empty variables count as absent. Throws `environment_invalid` where a crash point is armed and `NODE_ENV` is not
 * `test`, so that one variable alone can end no process.
 */
export function readEnvironment(variables: Readonly<Record<string, string | undefined>>): Environment {
  const read = (name: string): string | undefined => variables[name]?.trim() || undefined;
  const crashAt = read("DESKBRIDGE_CRASH_AT");
  if (crashAt !== undefined && read("NODE_ENV") !== "test") {
    throw new AppError(
      "environment_invalid",
      "DESKBRIDGE_CRASH_AT ends the process and is for tests only; remove it (it is taken with NODE_ENV=test alone)",
    );
  }
  return {
    databaseUrl: read("DATABASE_URL"),
    redisUrl: read("REDIS_URL"),
    apiKey: read("DESKBRIDGE_API_KEY"),
    host: read("DESKBRIDGE_HOST"),
    deskUrl: read("DESKBRIDGE_URL"),
    webhookAllowHosts: (read("DESKBRIDGE_WEBHOOK_ALLOW_HOSTS") ?? "")
      .split(/[\s,]+/)
      .filter((host) => host !== ""),
    crashAt,
    variables,
  };
}
