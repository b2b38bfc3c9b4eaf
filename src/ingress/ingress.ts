import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from "fastify";
import { AppError } from "../errors.ts";
import { sendProblem } from "../http/problem.ts";
import type { Intake } from "../jobs/intake.ts";
import type { Webhook } from "../sdk/webhook.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { CrashPoint } from "../telemetry/crash-point.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { acceptAll } from "./acceptance.ts";
import { createRefusalLog } from "./refusal-log.ts";
import { toWebhookRequest } from "./webhook-request.ts";

export interface IngressOptions {
  /** The webhook of a connection by the connection's name; undefined where there is no such connection, or it takes no webhooks. */
  readonly webhookOf: (connection: string) => Webhook | undefined;
  readonly intake: Pick<Intake, "accept">;
  readonly metrics: Pick<Metrics, "event" | "hookAnswered">;
  readonly logger: Logger;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Largest body taken, in bytes. */
  readonly maxBodyBytes: number;
  readonly crashPoint: CrashPoint;
}

interface HookRoute {
  readonly Params: { readonly connection: string; readonly "*"?: string };
}

type HookRequest = FastifyRequest<HookRoute>;

/** Stands for a connection's name in metrics where the request named one that is not configured. */
const noConnection = "unknown";

/**
 * The routes that senders call, to be registered on the HTTP server: `POST /hooks/<connection>`, with anything behind it. The body is read as
 * raw bytes whatever type it is said to have, verified, and only then parsed. 202 is answered after all events of the request are
 * durable, 200 when all were there already; every refusal is a problem document. A sender that gets a 503 sends again, and what
 * was stored the first time is then a duplicate.
 */
export function createIngress(options: IngressOptions): FastifyPluginAsync {
  return async (server) => {
    takeAnyBody(server, options.maxBodyBytes);
    observe(server, options);
    const requireWebhook = (request: HookRequest): Webhook => {
      const webhook = options.webhookOf(request.params.connection);
      if (webhook === undefined) throw unknownHook(request.params.connection);
      return webhook;
    };
    for (const url of ["/hooks/:connection", "/hooks/:connection/*"]) {
      server.post<HookRoute>(url, {
        // Refused before the body is read.
        onRequest: async (request) => void requireWebhook(request),
        handler: (request, reply) => receive(requireWebhook(request), request, reply, options),
      });
    }
  };
}

async function receive(
  webhook: Webhook,
  request: HookRequest,
  reply: FastifyReply,
  { intake, metrics, now, crashPoint }: IngressOptions,
): Promise<FastifyReply> {
  const { connection, "*": path = "" } = request.params;
  const hook = toWebhookRequest(request, path, now());
  webhook.verify(hook);
  const events = webhook.parse(hook);
  crashPoint("ingress.received");
  if (events.length === 0) {
    metrics.event(connection, "none", "ignored");
    return answer(reply, 202, 0, 0);
  }
  const { accepted, duplicates } = await acceptAll(intake, connection, events, hook.receivedAt);
  return answer(reply, accepted === 0 ? 200 : 202, accepted, duplicates);
}

function answer(reply: FastifyReply, status: number, accepted: number, duplicates: number): FastifyReply {
  return reply
    .code(status)
    .type("application/json")
    .send(`{"accepted":${accepted},"duplicates":${duplicates}}`);
}

// A hook's body is whatever its sender signed, so no media type is refused, not even one that is not well formed.
function takeAnyBody(server: FastifyInstance, bodyLimit: number): void {
  server.removeAllContentTypeParsers();
  server.addContentTypeParser("*", { parseAs: "buffer", bodyLimit }, (_request, body, done) =>
    done(null, body),
  );
  server.addHook("onRequest", (request, _reply, done) => {
    delete request.raw.headers["content-type"];
    done();
  });
}

function observe(
  server: FastifyInstance,
  { webhookOf, metrics, logger, now, crashPoint }: IngressOptions,
): void {
  const refusals = createRefusalLog(logger, now);
  const labelOf = (request: FastifyRequest): string => {
    const { connection } = (request as HookRequest).params;
    return webhookOf(connection) === undefined ? noConnection : connection;
  };
  server.addHook("onResponse", (request, reply, done) => {
    metrics.hookAnswered(labelOf(request), reply.statusCode, reply.elapsedTime);
    if (reply.statusCode === 202) crashPoint("ingress.acknowledged");
    done();
  });
  server.setErrorHandler((thrown, request, reply) => {
    const connection = labelOf(request);
    if (isHangUp(request)) {
      refusals.note(connection, "hung_up", request.id);
      return reply.code(400).send();
    }
    const code = codeOf(thrown);
    refusals.note(connection, code, request.id);
    // Not the sender's fault and no news to each request's log line: it comes again.
    if (code === "ledger_unavailable" || code === "ledger_busy")
      return sendProblem(request, reply, thrown as AppError);
    metrics.event(connection, "none", "rejected");
    // The server's own handler knows how to answer the rest.
    throw thrown;
  });
}

function codeOf(thrown: unknown): string {
  const code = thrown instanceof Error && "code" in thrown ? thrown.code : undefined;
  return typeof code === "string" ? code : "internal";
}

// The sender went away in the middle of its body; nobody is there to be answered.
function isHangUp({ raw }: FastifyRequest): boolean {
  return raw.destroyed && !raw.complete;
}

function unknownHook(connection: string): AppError {
  return new AppError("connection_unknown", `no connection of the name ${quoted(connection)} takes webhooks`);
}

function quoted(name: string): string {
  return JSON.stringify(name.slice(0, 100));
}
