import type { FastifyCorsOptions } from "@fastify/cors";
import { fastifyCors as cors } from "@fastify/cors";
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from "fastify";
import type { Attachments } from "./attachments.ts";
import { authorize, callerKindOf } from "./authorize.ts";
import type { AuthenticateEndUser } from "./end-user.ts";
import type { OwnEvents } from "./end-user-feed.ts";
import type { Feed } from "./feed.ts";
import type { RouteAnswer, RouteRequest } from "./exchange.ts";
import { answerRead, answerWrite, parseCall, planWrite } from "./exchange.ts";
import { locateMoved } from "./found.ts";
import type { KeyRing } from "./key-ring.ts";
import type { FileRoute, Route, RowsRoute, StreamRoute, UploadRoute, WriteContext } from "./route.ts";
import { attachmentRoutes, requireAttachments } from "./route-attachment.ts";
import { answerBatch, batchRoutes } from "./route-batch.ts";
import { changeRoutes } from "./route-change.ts";
import { datasetRoutes } from "./route-dataset.ts";
import type { FindRoute } from "./route-finder.ts";
import { createRouteFinder } from "./route-finder.ts";
import { clientTokenRoutes } from "./route-client-token.ts";
import { contactRoutes } from "./route-contact.ts";
import { wholeContactRoutes } from "./route-contact-whole.ts";
import { csatRoutes } from "./route-csat.ts";
import { keyRoutes } from "./route-key.ts";
import type { Limiter } from "./limit.ts";
import { limitError } from "./limit.ts";
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
import { answerUpload, sendFile, sendRows, sendStream, takeStreams } from "./transfer.ts";

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
  ...datasetRoutes,
  ...changeRoutes,
  ...webhookRoutes,
  ...clientTokenRoutes,
  ...meRoutes,
  ...attachmentRoutes,
  ...batchRoutes,
];

const callerKey = "deskCaller";

const ownPrefix = "/v1/me";

interface DeskParts {
  readonly store: DeskStore;
  readonly keys: KeyRing;
  readonly endUsers: AuthenticateEndUser;
  /** Origins of web pages that may call the routes of end users. */
  readonly origins: readonly string[];
  readonly limiter: Limiter;
  readonly feed: Feed;
  readonly ownEvents: OwnEvents;
  readonly context: WriteContext;
  readonly findRoute: FindRoute;
}

/** The Support API as a plugin of the HTTP server, under `/v1`. */
export function createDeskPlugin(options: Omit<DeskParts, "findRoute">): FastifyPluginAsync {
  const parts: DeskParts = { ...options, findRoute: createRouteFinder(routes) };
  return async (server: FastifyInstance) => {
    server.decorateRequest(callerKey);
    // Streams have no end of their own: the server would wait for them.
    server.addHook("preClose", async () => {
      parts.feed.close();
      parts.store.datasets.close();
    });
    const own = routes.filter((route) => callerKindOf(route) === "end_user");
    await addRoutes(
      server,
      routes.filter((route) => !own.includes(route)),
      parts,
    );
    const addOwn = async (inner: FastifyInstance): Promise<void> => {
      if (parts.origins.length > 0) await inner.register(cors, corsOptions(parts.origins));
      await addRoutes(inner, own, parts);
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
    exposedHeaders: [
      "x-request-id",
      "idempotency-replayed",
      "deskbridge-result",
      "retry-after",
      "ratelimit",
      "ratelimit-policy",
    ],
    maxAge: 600,
    // A preflight without an origin is answered in text otherwise, and it may do no more for it.
    strictPreflight: false,
  };
}

/** Those that take files read their bodies otherwise than the others. */
async function addRoutes(server: FastifyInstance, rows: readonly Route[], parts: DeskParts): Promise<void> {
  const add = (to: FastifyInstance, takesFiles: boolean): void => {
    for (const route of rows.filter((row) => "upload" in row === takesFiles)) {
      addRoute(to, route, route.path.slice(server.prefix.length), parts);
    }
  };
  add(server, false);
  await server.register(async (inner) => {
    takeStreams(inner);
    add(inner, true);
  });
}

function addRoute(server: FastifyInstance, route: Route, path: string, parts: DeskParts): void {
  server.route({
    method: route.method,
    url: path.replaceAll(/\{(\w+)\}/g, ":$1"),
    exposeHeadRoute: route.method === "GET",
    ...("maxBatchBytes" in route ? { bodyLimit: route.maxBatchBytes } : {}),
    // Before the body is read: a stranger's is not worth the memory.
    onRequest: async (request, reply) => {
      if (callerKindOf(route) === "anyone") return;
      const caller = await authorize(request, route, parts);
      request.setDecorator<Caller>(callerKey, caller);
      const standing = parts.limiter.take(caller);
      void reply.headers(standing.headers);
      if (!standing.allowed) throw limitError(standing);
    },
    handler: async (request, reply) => {
      try {
        if ("stream" in route) return await handleStream(route, request, reply, parts);
        const asked = requestOf(request, parts);
        if ("rows" in route) return await sendRows(route, asked, { request, reply }, parts.store);
        if ("file" in route) return await sendFile(route, asked, { request, reply }, keepOf(parts));
        if ("upload" in route) {
          return await sendAnswer(reply, await answerUpload(route, request, asked, keepOf(parts)));
        }
        return await sendAnswer(reply, await answerOf(route, asked, request.id, parts));
      } catch (error) {
        throw locateMoved(error, request.url);
      }
    },
  });
}

async function answerOf(
  route: Exclude<Route, StreamRoute | UploadRoute | FileRoute | RowsRoute>,
  asked: RouteRequest,
  requestId: string,
  parts: DeskParts,
): Promise<RouteAnswer> {
  if ("maxBatchBytes" in route) return answerBatch(asked, requestId, parts);
  if ("read" in route) return answerRead(route, asked, parts.store, parts.context);
  return answerWrite(await parts.store.write(planWrite(route, asked, parts.context)));
}

function keepOf({ context: { attachments } }: DeskParts): Attachments {
  return requireAttachments(attachments);
}

function requestOf(request: FastifyRequest, { context }: DeskParts): RouteRequest {
  const { method, url, query, body, headers } = request;
  const caller = request.getDecorator<Caller>(callerKey);
  const origin = context.attachments?.publicUrl ?? `${request.protocol}://${request.host}`;
  return {
    method,
    url,
    params: request.params as Record<string, string>,
    query,
    body,
    headers,
    caller,
    origin,
  };
}

function sendAnswer(reply: FastifyReply, { status, headers, body }: RouteAnswer): FastifyReply {
  void reply.code(status).headers(headers);
  return status === 304 ? reply.send() : reply.type("application/json; charset=utf-8").send(body);
}

async function handleStream(
  route: StreamRoute,
  request: FastifyRequest,
  reply: FastifyReply,
  parts: DeskParts,
): Promise<FastifyReply> {
  const { feed, ownEvents, context } = parts;
  const { now } = context;
  const header = request.headers["last-event-id"];
  const lastEventId = Array.isArray(header) ? header[0] : header;
  const stream = await route.stream(parseCall(route, requestOf(request, parts)), {
    feed,
    ownEvents,
    lastEventId,
    now,
    // Whatever is in the way of an answer is told to the client when it connects again.
    mayGoOn: () =>
      authorize(request, route, parts).then(
        () => true,
        () => false,
      ),
  });
  void reply
    .type("text/event-stream; charset=utf-8")
    // A connection that has carried a stream is not kept: a server that closes would wait for it.
    .headers({ "cache-control": "no-store", "x-accel-buffering": "no", connection: "close" });
  return sendStream(request, reply, stream);
}
