import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from "fastify";
import { AppError } from "../errors.ts";
import type { Feed } from "./feed.ts";
import { locateMoved } from "./found.ts";
import type { KeyRing } from "./key-ring.ts";
import { formatObjectId } from "./object-id.ts";
import { formatEtag, hashRequest, parseIdempotencyKey, parseIfMatch, parsePart } from "./request.ts";
import type { Call, ReadRoute, Route, StreamRoute, WriteContext, WriteRoute } from "./route.ts";
import { changeRoutes } from "./route-change.ts";
import { contactRoutes } from "./route-contact.ts";
import { wholeContactRoutes } from "./route-contact-whole.ts";
import { csatRoutes } from "./route-csat.ts";
import { keyRoutes } from "./route-key.ts";
import { messageRoutes } from "./route-message.ts";
import { metricRoutes } from "./route-metric.ts";
import { orderRoutes } from "./route-order.ts";
import { ticketRoutes } from "./route-ticket.ts";
import { ticketOrderRoutes } from "./route-ticket-order.ts";
import { wholeTicketRoutes } from "./route-ticket-whole.ts";
import { webhookRoutes } from "./route-webhook.ts";
import type { Caller, Scope } from "./scope.ts";
import { mayUse } from "./scope.ts";
import type { DeskStore } from "./store/store.ts";

/** Every route of the Support API, with the schemas of what it takes and answers. */
export const routes: readonly Route[] = [
  ...keyRoutes,
  ...contactRoutes,
  ...wholeContactRoutes,
  ...orderRoutes,
  ...ticketRoutes,
  ...wholeTicketRoutes,
  ...ticketOrderRoutes,
  ...messageRoutes,
  ...csatRoutes,
  ...metricRoutes,
  ...changeRoutes,
  ...webhookRoutes,
];

const callerKey = "deskCaller";

/** All API keys share one space of idempotency keys: a write stays one write when the key it was sent with is renewed. */
const idempotencyScope = "api";

interface DeskParts {
  readonly store: DeskStore;
  readonly keys: KeyRing;
  readonly feed: Feed;
  readonly context: WriteContext;
}

/** The Support API as a plugin of the HTTP server, under `/v1`. */
export function createDeskPlugin(parts: DeskParts): FastifyPluginAsync {
  const { keys, feed } = parts;
  return async (server: FastifyInstance) => {
    server.decorateRequest(callerKey);
    // Streams have no end of their own: the server would wait for them.
    server.addHook("preClose", async () => feed.close());
    for (const route of routes) {
      server.route({
        method: route.method,
        url: route.path.replaceAll(/\{(\w+)\}/g, ":$1"),
        exposeHeadRoute: false,
        // Before the body is read: a stranger's is not worth the memory.
        onRequest: async (request) => {
          request.setDecorator<Caller>(callerKey, await authorize(request, keys, route.scope));
        },
        handler: async (request, reply) => {
          try {
            if ("stream" in route) return await handleStream(route, request, reply, feed);
            return "operation" in route
              ? await handleWrite(route, request, reply, parts)
              : await handleRead(route, request, reply, parts);
          } catch (error) {
            throw locateMoved(error, request.url);
          }
        },
      });
    }
  };
}

async function authorize(request: FastifyRequest, keys: KeyRing, scope: Scope | null): Promise<Caller> {
  const key = /^Bearer +(\S{1,500}) *$/i.exec(request.headers.authorization ?? "")?.[1];
  if (key === undefined)
    throw new AppError("unauthorized", "send an API key as `Authorization: Bearer <key>`");
  const caller = await keys.authenticate(key);
  if (scope !== null && !mayUse(caller, scope)) {
    throw new AppError("forbidden", `the API key ${caller.id} lacks the scope ${scope}`);
  }
  return caller;
}

function parseCall(route: Route, request: FastifyRequest): Call<unknown, unknown> {
  return {
    params: request.params as Record<string, string>,
    query: route.query === undefined ? undefined : parsePart(route.query, request.query, "query"),
    // A body that may be left out whole is written as {}.
    body: route.body === undefined ? undefined : parsePart(route.body, request.body ?? {}, "body"),
    caller: request.getDecorator<Caller>(callerKey),
  };
}

async function handleRead(
  route: ReadRoute,
  request: FastifyRequest,
  reply: FastifyReply,
  { store }: DeskParts,
): Promise<FastifyReply> {
  const { body, version } = await route.read(parseCall(route, request), store);
  if (version !== undefined) {
    const etag = formatEtag(version);
    void reply.header("etag", etag);
    if (request.headers["if-none-match"] === etag) return reply.code(304).send();
  }
  return reply.type("application/json; charset=utf-8").send(body);
}

async function handleStream(
  route: StreamRoute,
  request: FastifyRequest,
  reply: FastifyReply,
  feed: Feed,
): Promise<FastifyReply> {
  const header = request.headers["last-event-id"];
  const lastEventId = Array.isArray(header) ? header[0] : header;
  const stream = route.stream(parseCall(route, request), { feed, lastEventId });
  return reply
    .type("text/event-stream; charset=utf-8")
    // A connection that has carried a stream is not kept: a server that closes would wait for it.
    .headers({ "cache-control": "no-store", "x-accel-buffering": "no", connection: "close" })
    .send(stream);
}

async function handleWrite(
  route: WriteRoute,
  request: FastifyRequest,
  reply: FastifyReply,
  { store, context }: DeskParts,
): Promise<FastifyReply> {
  const key = parseIdempotencyKey(request.headers["idempotency-key"]);
  const call = parseCall(route, request);
  const ifMatch = route.versioned === true ? parseIfMatch(request.headers["if-match"]) : undefined;
  const input = route.input(call, context);
  const written = await store.write({
    operation: route.operation,
    input: ifMatch === undefined ? input : { ...input, if_match: ifMatch },
    actor: call.caller.id,
    idempotency:
      key === undefined ? undefined : { scope: idempotencyScope, key, hash: hashOf(request, call) },
  });
  const { message, version } = written;
  void reply.header("deskbridge-result", written.result);
  if (message !== null) void reply.header("deskbridge-message-id", formatObjectId("message", message));
  if (version !== null) void reply.header("etag", formatEtag(version));
  if (written.replayed) void reply.header("idempotency-replayed", "true");
  return reply.code(written.status).type("application/json; charset=utf-8").send(written.body);
}

function hashOf({ method, url }: FastifyRequest, { body }: Call<unknown, unknown>): Buffer {
  return hashRequest(method, url, body);
}
