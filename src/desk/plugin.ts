import type { FastifyCorsOptions } from "@fastify/cors";
import { fastifyCors as cors } from "@fastify/cors";
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from "fastify";
import { authorize, callerKindOf } from "./authorize.ts";
import type { AuthenticateEndUser } from "./end-user.ts";
import type { OwnEvents } from "./end-user-feed.ts";
import type { Feed } from "./feed.ts";
import { locateMoved } from "./found.ts";
import type { KeyRing } from "./key-ring.ts";
import { formatObjectId } from "./object-id.ts";
import { formatEtag, hashRequest, parseIdempotencyKey, parseIfMatch, parsePart } from "./request.ts";
import type { Call, ReadRoute, Route, StreamRoute, WriteContext, WriteRoute } from "./route.ts";
import { changeRoutes } from "./route-change.ts";
import { clientTokenRoutes } from "./route-client-token.ts";
import { contactRoutes } from "./route-contact.ts";
import { wholeContactRoutes } from "./route-contact-whole.ts";
import { csatRoutes } from "./route-csat.ts";
import { keyRoutes } from "./route-key.ts";
import { meRoutes } from "./route-me.ts";
import { messageRoutes } from "./route-message.ts";
import { metricRoutes } from "./route-metric.ts";
import { createOpenApiPlugin } from "./route-openapi.ts";
import { orderRoutes } from "./route-order.ts";
import { ticketRoutes } from "./route-ticket.ts";
import { ticketOrderRoutes } from "./route-ticket-order.ts";
import { wholeTicketRoutes } from "./route-ticket-whole.ts";
import { webhookRoutes } from "./route-webhook.ts";
import type { Caller } from "./scope.ts";
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
  ...clientTokenRoutes,
  ...meRoutes,
];

const callerKey = "deskCaller";

const ownPrefix = "/v1/me";

interface DeskParts {
  readonly store: DeskStore;
  readonly keys: KeyRing;
  readonly endUsers: AuthenticateEndUser;
  /** Origins of web pages that may call the routes of end users. */
  readonly origins: readonly string[];
  readonly feed: Feed;
  readonly ownEvents: OwnEvents;
  readonly context: WriteContext;
}

/** The Support API as a plugin of the HTTP server, under `/v1`. */
export function createDeskPlugin(parts: DeskParts): FastifyPluginAsync {
  return async (server: FastifyInstance) => {
    server.decorateRequest(callerKey);
    // Streams have no end of their own: the server would wait for them.
    server.addHook("preClose", async () => parts.feed.close());
    const own = routes.filter((route) => callerKindOf(route) === "end_user");
    for (const route of routes) if (!own.includes(route)) addRoute(server, route, route.path, parts);
    const addOwn = async (inner: FastifyInstance): Promise<void> => {
      if (parts.origins.length > 0) await inner.register(cors, corsOptions(parts.origins));
      for (const route of own) addRoute(inner, route, route.path.slice(ownPrefix.length), parts);
    };
    await server.register(addOwn, { prefix: ownPrefix });
    await server.register(createOpenApiPlugin(routes));
  };
}

/** What pages of these origins may do in a browser. There are no cookies, so a page can do no more than with a token that it has. */
function corsOptions(origins: readonly string[]): FastifyCorsOptions {
  return {
    origin: [...origins],
    methods: ["GET", "POST"],
    allowedHeaders: ["authorization", "content-type", "idempotency-key", "last-event-id"],
    exposedHeaders: ["x-request-id", "idempotency-replayed", "deskbridge-result", "retry-after"],
    maxAge: 600,
    strictPreflight: true,
  };
}

function addRoute(server: FastifyInstance, route: Route, path: string, parts: DeskParts): void {
  server.route({
    method: route.method,
    url: path.replaceAll(/\{(\w+)\}/g, ":$1"),
    exposeHeadRoute: false,
    // Before the body is read: a stranger's is not worth the memory.
    onRequest: async (request) => {
      request.setDecorator<Caller>(callerKey, await authorize(request, route, parts));
    },
    handler: async (request, reply) => {
      try {
        if ("stream" in route) return await handleStream(route, request, reply, parts);
        return "operation" in route
          ? await handleWrite(route, request, reply, parts)
          : await handleRead(route, request, reply, parts);
      } catch (error) {
        throw locateMoved(error, request.url);
      }
    },
  });
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
  { feed, ownEvents, context: { now } }: DeskParts,
): Promise<FastifyReply> {
  const header = request.headers["last-event-id"];
  const lastEventId = Array.isArray(header) ? header[0] : header;
  const stream = route.stream(parseCall(route, request), { feed, ownEvents, lastEventId, now });
  return (
    reply
      .type("text/event-stream; charset=utf-8")
      // A connection that has carried a stream is not kept: a server that closes would wait for it.
      .headers({ "cache-control": "no-store", "x-accel-buffering": "no", connection: "close" })
      .send(stream)
  );
}

async function handleWrite(
  route: WriteRoute,
  request: FastifyRequest,
  reply: FastifyReply,
  { store, context }: DeskParts,
): Promise<FastifyReply> {
  const given = parseIdempotencyKey(request.headers["idempotency-key"]);
  const key = route.repeated === true ? undefined : given;
  const call = parseCall(route, request);
  const ifMatch = route.versioned === true ? parseIfMatch(request.headers["if-match"]) : undefined;
  const input = route.input(call, context);
  const written = await store.write({
    operation: route.operation,
    input: ifMatch === undefined ? input : { ...input, if_match: ifMatch },
    actor: call.caller.id,
    idempotency:
      key === undefined ? undefined : { scope: scopeOf(call.caller), key, hash: hashOf(request, call) },
  });
  const { message, version } = written;
  void reply.header("deskbridge-result", written.result);
  if (message !== null) void reply.header("deskbridge-message-id", formatObjectId("message", message));
  if (version !== null) void reply.header("etag", formatEtag(version));
  if (written.replayed) void reply.header("idempotency-replayed", "true");
  return reply.code(written.status).type("application/json; charset=utf-8").send(written.body);
}

/**
 * All API keys share one space of idempotency keys: a write stays one write when the key it was sent with is renewed. Each end user has one of
 * their own: nobody is ever shown what another was answered.
 */
function scopeOf({ id, endUser }: Caller): string {
  return endUser === undefined ? "api" : id;
}

function hashOf({ method, url }: FastifyRequest, { body }: Call<unknown, unknown>): Buffer {
  return hashRequest(method, url, body);
}
