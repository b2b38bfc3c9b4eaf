import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Readable } from "node:stream";
import type { Attachments } from "./attachments.ts";
import type { RouteAnswer, RouteRequest } from "./exchange.ts";
import { answerWrite, keySpaceOf, parseCall } from "./exchange.ts";
import { hashRequest, parseIdempotencyKey } from "./request.ts";
import type { FileRoute, RowsRoute, UploadRoute } from "./route.ts";
import type { DeskStore } from "./store/store.ts";

/** Has the routes of a server take bodies of any type as streams, which nobody reads before they do. */
export function takeStreams(server: FastifyInstance): void {
  server.removeAllContentTypeParsers();
  server.addContentTypeParser("*", (_request, payload, done) => done(null, payload));
}

/** Takes in a file. Its idempotency key stands for the address and the bytes. */
export async function answerUpload(
  route: UploadRoute,
  request: FastifyRequest,
  asked: RouteRequest,
  attachments: Attachments,
): Promise<RouteAnswer> {
  const key = parseIdempotencyKey(request.headers["idempotency-key"]);
  const call = parseCall(route, { ...asked, body: undefined });
  const length = Number(request.headers["content-length"]);
  const written = await attachments.take({
    // A request without a body has nothing that was parsed.
    content: (request.body ?? request.raw) as Readable,
    saidType: request.headers["content-type"],
    saidLength: Number.isSafeInteger(length) ? length : undefined,
    filename: route.upload(call).filename,
    uploader: call.caller.endUser?.contact,
    actor: call.caller.id,
    idempotencyOf: (sha256) =>
      key === undefined
        ? undefined
        : { scope: keySpaceOf(call.caller), key, hash: hashRequest(asked.method, asked.url, { sha256 }) },
  });
  return answerWrite(written);
}

interface Exchange {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

/** Sends a stream. To `HEAD` it sends what comes before it, and ends the stream unread: the framework would read it to its end. */
export function sendStream({ method }: FastifyRequest, reply: FastifyReply, stream: Readable): FastifyReply {
  if (method === "HEAD") stream.destroy();
  return reply.send(stream);
}

/** Hands out a file, to be saved and never to be shown as a page of ours. */
export async function sendFile(
  route: FileRoute,
  asked: RouteRequest,
  { request, reply }: Exchange,
  attachments: Attachments,
): Promise<FastifyReply> {
  const { attachment, link } = route.file(parseCall(route, asked));
  const { content, filename, contentType, size } = await attachments.open(attachment, link);
  void reply.headers({
    "content-type": contentType,
    "content-length": size,
    "content-disposition": dispositionOf(filename),
    "content-security-policy": "sandbox; default-src 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "private, no-store",
  });
  return sendStream(request, reply, content);
}

/** A reader who takes nothing for so long is taken for gone. */
const stallMs = 600_000;

/** Hands out rows as they come from the database, as fast as the client takes them. What breaks off on the way breaks the connection off. */
export async function sendRows(
  route: RowsRoute,
  asked: RouteRequest,
  { request, reply }: Exchange,
  store: DeskStore,
): Promise<FastifyReply> {
  const { headers, rows } = await route.rows(parseCall(route, asked), store);
  void reply
    .type("text/csv; charset=utf-8; header=absent")
    .headers({ ...headers, "cache-control": "no-store" });
  if (rows === undefined) return reply.send("");
  reply.raw.setTimeout(stallMs, () => rows.destroy(new Error("the client stopped reading")));
  return sendStream(request, reply, rows);
}

/** RFC 6266: the name in ASCII for old clients, and as it is. */
function dispositionOf(filename: string): string {
  const plain = filename.replaceAll(/[^\x20-\x7e]|["\\%]/g, "_");
  const exact = encodeURIComponent(filename).replaceAll(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16)}`);
  return `attachment; filename="${plain}"; filename*=UTF-8''${exact}`;
}
