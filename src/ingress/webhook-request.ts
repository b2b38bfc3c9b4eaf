import type { FastifyRequest } from "fastify";
import type { WebhookRequest } from "../sdk/webhook.ts";

/** A request as connectors see it. `path` is what followed the connection's name; `receivedAt` is in milliseconds since the epoch. */
export function toWebhookRequest(request: FastifyRequest, path: string, receivedAt: number): WebhookRequest {
  return {
    method: request.method,
    path,
    query: firstValues(request.query as Record<string, string | string[]>),
    headers: firstHeaders(request.raw.rawHeaders),
    body: Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0),
    receivedAt,
  };
}

function firstValues(query: Readonly<Record<string, string | readonly string[]>>): Record<string, string> {
  const values: Record<string, string> = {};
  for (const [name, value] of Object.entries(query)) {
    const first = typeof value === "string" ? value : value[0];
    if (first !== undefined) values[name] = first;
  }
  return values;
}

// Node joins the values of a repeated header; a second signature must not change what the first one says.
function firstHeaders(rawHeaders: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = Object.create(null) as Record<string, string>;
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = String(rawHeaders[index]).toLowerCase();
    headers[name] ??= String(rawHeaders[index + 1]);
  }
  return headers;
}
