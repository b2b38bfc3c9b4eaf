import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FastifyInstance } from "fastify";
import type { Logger } from "pino";
import pg from "pg";
import { pino } from "pino";
import { createDiskFiles } from "../../src/desk/attachment-disk.ts";
import type { AttachmentOptions } from "../../src/desk/attachments.ts";
import type { SupportDesk } from "../../src/desk/desk.ts";
import { openDesk } from "../../src/desk/desk.ts";
import type { EndUserOptions } from "../../src/desk/end-user.ts";
import type { RequestLimits } from "../../src/desk/limit.ts";
import { createHttpServer } from "../../src/http/server.ts";
import { freshDatabase } from "./postgres.ts";

/** An answer of the Support API. */
export interface DeskAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** The body as it came. */
  readonly text: string;
  /** The body as JSON; undefined when it is none. */
  readonly json: unknown;
}

export interface DeskRequest {
  readonly method: "GET" | "HEAD" | "OPTIONS" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  /** Sent as JSON; a string or bytes are sent as they are. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The Support API on a database of its own. */
export interface DeskStand {
  readonly desk: SupportDesk;
  readonly server: FastifyInstance;
  readonly databaseUrl: string;
  /** Where attachments are kept unless told otherwise. */
  readonly folder: string;
  readonly adminKey: string;
  /** Sends a request with the admin key, without a socket. */
  readonly send: (request: DeskRequest) => Promise<DeskAnswer>;
  /** Opens a connection to the desk's own tables, which ends with the stand; `settings` are more of the session's, as in `enable_seqscan=off`. */
  readonly connect: (...settings: readonly string[]) => Promise<pg.Client>;
  /** Listens on a free port; returns the address. */
  readonly listen: () => Promise<string>;
  /** Undefined for the real time again. */
  readonly setNow: (now: number | undefined) => void;
  readonly close: () => Promise<void>;
}

interface StandOptions {
  readonly logger?: Logger;
  readonly maxBodyBytes?: number;
  readonly webhookAllowHosts?: readonly string[];
  readonly endUsers?: EndUserOptions;
  /** In a folder of the test's own unless told. */
  readonly attachments?: Partial<AttachmentOptions>;
  readonly datasetFoldMs?: number;
  readonly limits?: RequestLimits;
  /** The way to the database, such as through a proxy; straight there unless told. */
  readonly route?: (databaseUrl: string) => Promise<string>;
}

export async function openDeskStand(options: StandOptions = {}): Promise<DeskStand> {
  const { logger = pino({ level: "silent" }), maxBodyBytes = 1024 * 1024 } = options;
  const database = await freshDatabase();
  const folder = await mkdtemp(join(tmpdir(), "deskbridge-attachments-"));
  const adminKey = `admin-${randomBytes(12).toString("hex")}`;
  let now: number | undefined;
  const clients: pg.Client[] = [];
  const desk = await openDesk({
    databaseUrl: (await options.route?.(database.url)) ?? database.url,
    logger,
    now: () => now ?? Date.now(),
    bootstrapKey: adminKey,
    webhookAllowHosts: options.webhookAllowHosts ?? [],
    attachments: {
      files: createDiskFiles(folder),
      maxBytes: 1024 * 1024,
      linkLifetimeMs: 600_000,
      ...options.attachments,
    },
    ...(options.endUsers === undefined ? {} : { endUsers: options.endUsers }),
    ...(options.limits === undefined ? {} : { limits: options.limits }),
    ...(options.datasetFoldMs === undefined ? {} : { datasetFoldMs: options.datasetFoldMs }),
  });
  const server = createHttpServer({ logger, maxBodyBytes });
  await server.register(desk.plugin);
  await server.ready();
  return {
    desk,
    server,
    databaseUrl: database.url,
    folder,
    adminKey,
    send: (request) => inject(server, adminKey, request),
    connect: async (...settings) => {
      const options = ["search_path=deskbridge_desk", ...settings].map((one) => `-c ${one}`).join(" ");
      const client = new pg.Client({ connectionString: database.url, options });
      await client.connect();
      clients.push(client);
      return client;
    },
    listen: () => server.listen({ host: "127.0.0.1", port: 0 }),
    setNow: (to) => {
      now = to;
    },
    close: async () => {
      // What a test still holds locked would hold up the rest.
      for (const client of clients) await client.end();
      await server.close();
      await desk.close();
      await database.drop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function inject(
  server: FastifyInstance,
  adminKey: string,
  { method, path, body, headers }: DeskRequest,
): Promise<DeskAnswer> {
  const raw = typeof body === "string" || Buffer.isBuffer(body);
  const payload = raw ? body : JSON.stringify(body);
  const answer = await server.inject({
    method,
    url: path,
    headers: {
      authorization: `Bearer ${adminKey}`,
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...headers,
    },
    ...(payload === undefined ? {} : { payload }),
  });
  const isJson = /json/.test(String(answer.headers["content-type"]));
  return {
    status: answer.statusCode,
    headers: answer.headers as Record<string, string>,
    text: answer.body,
    json: isJson && answer.body !== "" ? (JSON.parse(answer.body) as unknown) : undefined,
  };
}
