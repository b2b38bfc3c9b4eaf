import { randomUUID } from "node:crypto";
import type { Socket } from "node:net";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { fastify } from "fastify";
import type { Logger } from "pino";
import { AppError, toAppError } from "../errors.ts";
import { parseJsonBody } from "../sdk/json.ts";
import type { AllowedMethods } from "./allowed-methods.ts";
import { createAllowedMethods } from "./allowed-methods.ts";
import { methodError, sendProblem, toProblem } from "./problem.ts";

interface HttpServerOptions {
  /** Gets one line for every request that ended in a fault of ours. */
  readonly logger: Logger;
  /** Largest body taken unless a route says otherwise. */
  readonly maxBodyBytes: number;
  /** Believe `X-Forwarded-*`: true behind a proxy of ours only, or the addresses of the proxies. */
  readonly trustProxy?: boolean | string;
}

/** Names in paths are at most 255 characters, each of which may be twelve when it is percent-encoded. */
const maxParamLength = 255 * 12;

/**
 * The one HTTP server of the process: ingress, the Support API, health and the console are registered on it as plugins. JSON bodies are parsed
 * safely, every error is answered as problem+json, every answer carries `X-Request-Id`. A method that an address does not take is answered 405 with
 * `Allow`, `OPTIONS` with `Allow` alone. Does not listen yet; the caller closes it.
 */
export function createHttpServer(options: HttpServerOptions): FastifyInstance {
  const { logger, maxBodyBytes, trustProxy = false } = options;
  const server = fastify({
    logger: false,
    bodyLimit: maxBodyBytes,
    trustProxy,
    genReqId: () => `req_${randomUUID()}`,
    requestIdHeader: false,
    requestTimeout: 60_000,
    keepAliveTimeout: 75_000,
    // A request that got through the door while we close is answered like any other.
    return503OnClosing: false,
    routerOptions: { maxParamLength },
    frameworkErrors: (error, request, reply) => {
      void reply.header("x-request-id", request.id);
      void sendProblem(request, reply, toHttpError(error));
    },
    clientErrorHandler: answerGarbage,
  });
  const allowed = createAllowedMethods();
  server.addHook("onRoute", ({ url, method }) => allowed.note(url, method));
  server.addHook("onRequest", (request, reply, done) => {
    void reply.headers({ "x-request-id": request.id, "x-content-type-options": "nosniff" });
    // What a browser asks before it sends a request of a page's is answered where pages may call.
    const isPreflight = request.headers["access-control-request-method"] !== undefined;
    // Before the body is read, whatever is in it.
    if (request.is404 || (request.method === "OPTIONS" && !isPreflight))
      return void answerUnrouted(allowed, request, reply);
    done();
  });
  server.removeAllContentTypeParsers();
  server.addContentTypeParser("application/json", { parseAs: "buffer" }, (_request, body: Buffer, done) => {
    try {
      done(null, body.length === 0 ? undefined : parseJsonBody(body));
    } catch (error) {
      done(new AppError("bad_request", toAppError(error).message));
    }
  });
  server.setErrorHandler((thrown, request, reply) => {
    const error = toHttpError(thrown);
    if (error.status >= 500) {
      logger.error({ err: error, request: request.id, route: request.routeOptions.url }, "a request failed");
    }
    return sendProblem(request, reply, error);
  });
  server.setNotFoundHandler((request, reply) => answerUnrouted(allowed, request, reply));
  return server;
}

/** Answers a request that is no route's: the address knows other methods, or there is nothing at it. */
function answerUnrouted(allowed: AllowedMethods, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const methods = allowed.at(request.url);
  if (methods.length === 0)
    return sendProblem(request, reply, new AppError("not_found", "there is nothing at this address"));
  if (request.method === "OPTIONS") return reply.code(204).header("allow", methods.join(", ")).send();
  return sendProblem(request, reply, methodError(methods));
}

/** Any error of a request as one of the catalogue: the framework's own by their codes, the body parser's as a bad request. */
function toHttpError(thrown: unknown): AppError {
  const error = toAppError(thrown);
  const { code, statusCode } = thrown as { code?: unknown; statusCode?: unknown };
  if (code === "FST_ERR_CTP_BODY_TOO_LARGE") {
    return new AppError("body_too_large", "the body is larger than this server takes");
  }
  if (code === "FST_ERR_BAD_URL") return new AppError("bad_request", "the address is not valid");
  if (code === "FST_ERR_CTP_INVALID_MEDIA_TYPE") {
    return new AppError("unsupported_media_type", "the body must be JSON, sent as application/json");
  }
  const isClients = typeof statusCode === "number" && statusCode >= 400 && statusCode < 500;
  if (isClients && typeof code === "string" && code.startsWith("FST_ERR_")) {
    return new AppError("bad_request", error.message);
  }
  return error;
}

/** Answers bytes that are not HTTP, or headers that are too large; there is no request to speak of yet. */
function answerGarbage(error: Error & { readonly code?: string }, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable) return void socket.destroy();
  const what =
    error.code === "HPE_HEADER_OVERFLOW"
      ? "the request's head is too large"
      : "the request is not valid HTTP";
  const body = JSON.stringify(toProblem(new AppError("bad_request", what), `req_${randomUUID()}`));
  socket.end(
    [
      "HTTP/1.1 400 Bad Request",
      "Content-Type: application/problem+json",
      `Content-Length: ${Buffer.byteLength(body)}`,
      "Connection: close",
      "",
      body,
    ].join("\r\n"),
  );
}
