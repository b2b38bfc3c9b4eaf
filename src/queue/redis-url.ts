import { Cluster, Redis } from "ioredis";
import { once } from "node:events";
import { isIP } from "node:net";
import { AppError } from "../errors.ts";

/** Where Redis is, as read from a URL. */
export interface RedisAddress {
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  readonly cluster: boolean;
  readonly tls: boolean;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly database: number;
}

export type RedisClient = Redis | Cluster;

const form =
  /^redis(?<tls>s?)(?<cluster>\+cluster)?:\/\/(?:(?<user>[^@/]*)@)?(?<nodes>[^@/?#]+)(?:\/(?<database>\d*))?$/;

/**
 * Reads `redis://[user:password@]host[:port][/database]`, `rediss://` for TLS, and `redis+cluster://host:port,host:port` or
 * `rediss+cluster://` for a cluster, of which any few nodes are enough. Throws `config_invalid` without repeating the URL, which may
 * hold a password.
 */
export function parseRedisUrl(url: string): RedisAddress {
  const groups = form.exec(url.trim())?.groups;
  const nodes = groups?.["nodes"]?.split(",").map(parseNode);
  if (groups === undefined || nodes === undefined || nodes.some((node) => node === undefined)) {
    throw new AppError(
      "config_invalid",
      "the Redis URL is not understood; expected redis://host:6379, rediss://user:password@host:6380/0 or redis+cluster://host:7000,host:7001",
    );
  }
  const [username = "", ...password] = (groups["user"] ?? "").split(":");
  return {
    nodes: nodes.filter((node) => node !== undefined),
    cluster: groups["cluster"] !== undefined,
    tls: groups["tls"] === "s",
    username: username === "" ? undefined : decodeURIComponent(username),
    password: password.length === 0 ? undefined : decodeURIComponent(password.join(":")),
    database: Number(groups["database"] ?? 0),
  };
}

function parseNode(text: string): { host: string; port: number } | undefined {
  const match = /^(?<host>\[[0-9a-fA-F:.]+\]|[\w.-]+)(?::(?<port>\d{1,5}))?$/.exec(text);
  const host = match?.groups?.["host"];
  if (host === undefined) return undefined;
  return { host: host.replace(/^\[(.*)\]$/, "$1"), port: Number(match?.groups?.["port"] ?? 6379) };
}

/** For calls that must not hang: they fail at once while Redis is away, and after some seconds when it does not answer. */
const failingFast = { enableOfflineQueue: false, maxRetriesPerRequest: 1, commandTimeout: 5_000 };

/** For workers, which wait until Redis is back. A connection that went silent is given up after the longest block there is. */
const waiting = { enableOfflineQueue: true, maxRetriesPerRequest: null, commandTimeout: 30_000 };

/** Connects to Redis, and again whenever it goes away. The caller listens for `error` and disconnects. */
export function connectRedis(address: RedisAddress, use: "failingFast" | "waiting"): RedisClient {
  const { enableOfflineQueue, ...limits } = use === "failingFast" ? failingFast : waiting;
  const { host, port } = address.nodes[0] ?? { host: "", port: 0 };
  const perNode = {
    ...limits,
    connectTimeout: 5_000,
    keepAlive: 10_000,
    ...(address.username === undefined ? {} : { username: address.username }),
    ...(address.password === undefined ? {} : { password: address.password }),
  };
  if (!address.cluster) {
    const tls = address.tls ? { tls: isIP(host) === 0 ? { servername: host } : {} } : {};
    const retryStrategy = reconnectDelayMs;
    return new Redis({
      ...perNode,
      ...tls,
      host,
      port,
      db: address.database,
      enableOfflineQueue,
      retryStrategy,
    });
  }
  return new Cluster([...address.nodes], {
    enableOfflineQueue,
    clusterRetryStrategy: reconnectDelayMs,
    slotsRefreshTimeout: 5_000,
    redisOptions: { ...perNode, ...(address.tls ? { tls: {} } : {}) },
    // Managed clusters answer with host names that their certificates are made out to.
    ...(address.tls
      ? { dnsLookup: (name: string, done: (error: null, resolved: string) => void) => done(null, name) }
      : {}),
  });
}

/** Resolves when the client is connected, or could not be connected at first; it goes on trying by itself. */
export async function connected(client: RedisClient): Promise<void> {
  if (client.status === "ready") return;
  await once(client, "ready", { signal: AbortSignal.timeout(5_000) }).catch(() => undefined);
}

function reconnectDelayMs(times: number): number {
  return Math.min(50 * 2 ** Math.min(times, 6), 2_000) + Math.floor(Math.random() * 100);
}
