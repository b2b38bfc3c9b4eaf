import { AppError } from "../errors.ts";
import type { BatchParts } from "./batch.ts";
import { runBatch } from "./batch.ts";
import type { RouteAnswer, RouteRequest } from "./exchange.ts";
import type { Limiter } from "./limit.ts";
import { limitError } from "./limit.ts";
import { parseIdempotencyKey, parsePart } from "./request.ts";
import type { BatchRoute, Route } from "./route.ts";
import type { BatchItem } from "./schema-batch.ts";
import { batchResult, newBatch } from "./schema-batch.ts";

const batchRoute: BatchRoute = {
  method: "POST",
  path: "/v1/batch",
  // Each request in it takes the scope of its own route.
  scope: null,
  summary: "Carry out up to 500 requests, each with an answer of its own",
  body: newBatch,
  answers: { 200: batchResult },
  maxBatchBytes: 16 * 1024 ** 2,
};

export const batchRoutes: readonly Route[] = [batchRoute];

/** Room for the place of a request behind the key of its batch. */
const longestKey = 250;

interface BatchDesk extends BatchParts {
  readonly limiter: Limiter;
}

/** Answers a batch. It counts as one request before it is read, and as one for each further item here; throws `rate_limited` with nothing done. */
export async function answerBatch(
  request: RouteRequest,
  requestId: string,
  desk: BatchDesk,
): Promise<RouteAnswer> {
  const { requests, parallel } = parsePart(newBatch, request.body ?? {}, "body");
  const items = withKeys(requests, parseIdempotencyKey(request.headers["idempotency-key"]));
  const standing = desk.limiter.take(request.caller, items.length - 1);
  if (!standing.allowed) throw limitError(standing);
  const { caller, origin = "" } = request;
  const answers = await runBatch({ items, parallel, sender: { caller, origin }, requestId }, desk);
  const succeeded = answers.filter(({ status }) => status < 300).length;
  const data = answers.map(formatItem).join(",");
  const body = `{"data":[${data}],"succeeded":${succeeded},"failed":${answers.length - succeeded}}`;
  return { status: 200, headers: standing.headers, body };
}

/** A batch that is sent with a key gives each of its writes one: the key and the write's place. Keys of their own go before it. */
function withKeys(items: readonly BatchItem[], key: string | undefined): readonly BatchItem[] {
  if (key === undefined) return items;
  if (key.length > longestKey) {
    throw new AppError(
      "bad_request",
      `the Idempotency-Key of a batch must be at most ${longestKey} characters`,
    );
  }
  return items.map((item, place) => ({
    ...item,
    headers: { idempotency_key: `${key}:${place}`, ...item.headers },
  }));
}

function formatItem({ status, headers, body }: RouteAnswer): string {
  const named = Object.entries(headers).map(([name, value]) => [name.replaceAll("-", "_"), value]);
  return `{"status":${status},"headers":${JSON.stringify(Object.fromEntries(named))},"body":${body === "" ? "null" : body}}`;
}
