import type { FastifyInstance } from "fastify";
import type { ServerConfig } from "./config/config.ts";
import type { SupportDesk } from "./desk/desk.ts";
import { AppError } from "./errors.ts";
import { createHealth } from "./http/health.ts";
import { createHttpServer } from "./http/server.ts";
import { createIngress } from "./ingress/ingress.ts";
import type { Engine } from "./jobs/engine.ts";
import type { Intake } from "./jobs/intake.ts";

interface FrontDoorOptions {
  readonly engine: Engine;
  readonly intake: Intake;
  readonly desk: SupportDesk;
  readonly server: ServerConfig;
  /** False until connections are open: until then hooks are answered 503 and their senders come again. */
  readonly isReady: () => boolean;
}

/** The HTTP side of the process. */
export interface FrontDoor {
  readonly url: string;
  /** From now on hooks are answered 503; the Support API goes on, since the workers still write to it. */
  readonly stopTaking: () => void;
  readonly close: () => Promise<void>;
}

/** Puts hooks, Support API and health on one server and listens. */
export async function startFrontDoor(options: FrontDoorOptions): Promise<FrontDoor> {
  const { engine, intake, desk, server: config } = options;
  let taking = true;
  const server = createHttpServer({ logger: engine.logger, maxBodyBytes: config.maxBodyBytes });
  const isReady = (): boolean => taking && options.isReady();
  server.addHook("onRequest", (request, _reply, done) => {
    if (request.url.startsWith("/hooks/") && !isReady()) {
      const message = taking ? "deskbridge is starting" : "deskbridge is shutting down";
      done(new AppError("ledger_busy", message, { retryAfterMs: 5000 }));
    } else done();
  });
  await server.register(
    createIngress({
      webhookOf: (name) =>
        options.isReady() ? engine.setup().connections.get(name)?.connection.webhook : undefined,
      intake,
      metrics: engine.metrics,
      logger: engine.logger,
      now: engine.now,
      maxBodyBytes: config.maxBodyBytes,
      crashPoint: engine.crashPoint,
    }),
  );
  await server.register(createHealth({ engine, isReady }));
  await server.register(desk.plugin);
  await server.listen({ host: config.host, port: config.port });
  return {
    url: addressOf(server, config.host),
    stopTaking: () => {
      taking = false;
    },
    close: () => closeServer(server),
  };
}

/** The Support API alone, on a free port of the loopback address: for a command that reads from a desk of its own. Close it before the desk. */
export async function startPrivateDesk(
  desk: SupportDesk,
  { logger, maxBodyBytes }: { readonly logger: Engine["logger"]; readonly maxBodyBytes: number },
): Promise<Pick<FrontDoor, "url" | "close">> {
  const server = createHttpServer({ logger, maxBodyBytes });
  await server.register(desk.plugin);
  const host = "127.0.0.1";
  await server.listen({ host, port: 0 });
  return { url: addressOf(server, host), close: () => closeServer(server) };
}

async function closeServer(server: FastifyInstance): Promise<void> {
  // Idle keep-alive connections would hold the close up for as long as their clients like.
  server.server.closeIdleConnections();
  await server.close();
}

function addressOf(server: FastifyInstance, host: string): string {
  const address = server.server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const name = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
  return `http://${name.includes(":") ? `[${name}]` : name}:${port}`;
}
