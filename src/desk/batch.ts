import { AppError, toAppError } from "../errors.ts";
import { toProblem } from "../http/problem.ts";
import { requireScope } from "./authorize.ts";
import type { RouteAnswer, RouteRequest } from "./exchange.ts";
import { answerRead, answerWrite, planWrite } from "./exchange.ts";
import { locateMoved } from "./found.ts";
import type { WriteContext } from "./route.ts";
import type { FindRoute } from "./route-finder.ts";
import type { BatchItem } from "./schema-batch.ts";
import type { DeskStore } from "./store/store.ts";
import type { Write } from "./store/write.ts";

export interface BatchParts {
  readonly store: DeskStore;
  readonly context: WriteContext;
  readonly findRoute: FindRoute;
}

interface BatchRequest {
  readonly items: readonly BatchItem[];
  readonly parallel: boolean;
  /** The batch's own: whoever sends it sends each of its requests. */
  readonly sender: Pick<RouteRequest, "caller" | "origin">;
  readonly requestId: string;
}

/** Writes of one transaction. Fewer than 64, which is what a PostgreSQL backend remembers of a transaction's parts without effort. */
const chunkSize = 50;

/** Transactions and reads of a parallel batch that are under way at a time; there are connections left for others. */
const atOnce = 4;

/** Answers of reads that a batch gathers, in characters; whatever asks for more has to come by itself. */
const mostRead = 32 * 1024 ** 2;

interface Planned {
  readonly place: number;
  readonly item: BatchItem;
  readonly step: { readonly write: Write } | { readonly read: () => Promise<RouteAnswer> };
}

/**
 * Carries out the requests of a batch, each as if it had come by itself, and answers each in its place. In order, a request sees what those before
 * it wrote. Writes that follow each other share transactions; one that is refused leaves the others as they are.
 */
export async function runBatch(request: BatchRequest, parts: BatchParts): Promise<readonly RouteAnswer[]> {
  const { items, parallel, requestId } = request;
  const answers: (RouteAnswer | undefined)[] = items.map(() => undefined);
  const refuse = (place: number, error: unknown): void => {
    const path = items[place]?.path ?? "";
    answers[place] = answerProblem(toAppError(locateMoved(error, path)), requestId);
  };
  const planned: Planned[] = [];
  for (const [place, item] of items.entries()) {
    try {
      planned.push({ place, item, step: planItem(item, request.sender, parts) });
    } catch (error) {
      refuse(place, error);
    }
  }
  let room = mostRead;
  const run = async (steps: readonly Planned[]): Promise<void> => {
    const outcomes = await runSteps(steps, parts.store, room);
    for (const [index, outcome] of outcomes.entries()) {
      const place = steps[index]?.place ?? 0;
      if (outcome instanceof AppError) refuse(place, outcome);
      else {
        answers[place] = outcome;
        if (!("write" in (steps[index]?.step ?? {}))) room -= outcome.body.length;
      }
    }
  };
  const queue = stepsOf(planned);
  const work = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) await run(next);
  };
  await Promise.all(Array.from({ length: parallel ? atOnce : 1 }, work));
  return answers.map((answer) => answer ?? answerProblem(new AppError("internal", "no answer"), requestId));
}

function planItem(item: BatchItem, sender: BatchRequest["sender"], parts: BatchParts): Planned["step"] {
  const { route, params, query } = parts.findRoute(item.method, item.path);
  const { idempotency_key: key, if_match: ifMatch } = item.headers ?? {};
  if (route.caller === "end_user") throw new AppError("unauthorized", "this takes a token of an end user");
  requireScope(sender.caller, route.scope);
  const request: RouteRequest = {
    ...sender,
    method: item.method,
    url: item.path,
    params,
    query,
    body: item.body,
    headers: { "idempotency-key": key, "if-match": ifMatch },
  };
  if ("operation" in route) return { write: planWrite(route, request, parts.context) };
  if ("read" in route) return { read: () => answerRead(route, request, parts.store, parts.context) };
  throw new AppError("bad_request", "streams and uploads cannot be in a batch");
}

/** Writes that follow each other together, reads alone. */
function stepsOf(planned: readonly Planned[]): Planned[][] {
  const steps: Planned[][] = [];
  for (const one of planned) {
    const last = steps.at(-1);
    const joins = "write" in one.step && last?.[0] !== undefined && "write" in last[0].step;
    if (joins && last.length < chunkSize) last.push(one);
    else steps.push([one]);
  }
  return steps;
}

async function runSteps(
  steps: readonly Planned[],
  store: DeskStore,
  room: number,
): Promise<readonly (RouteAnswer | AppError)[]> {
  const writes = steps.flatMap(({ step }) => ("write" in step ? [step.write] : []));
  if (writes.length > 0) return writeAll(writes, store);
  const [first] = steps;
  if (first === undefined || !("read" in first.step)) return [];
  if (room <= 0) {
    return [
      new AppError("body_too_large", "the answers of this batch are too large; ask for this by itself"),
    ];
  }
  return [await settled(first.step.read())];
}

/** In one transaction; where the database broke that off, such as for a lock that somebody else holds, one by one. */
async function writeAll(
  writes: readonly Write[],
  store: DeskStore,
): Promise<readonly (RouteAnswer | AppError)[]> {
  try {
    const written = await store.writeMany(writes);
    return written.map((one) => (one instanceof AppError ? one : answerWrite(one)));
  } catch (error) {
    const fault = toAppError(error);
    if (fault.code === "ledger_unavailable") return writes.map(() => fault);
  }
  const outcomes: (RouteAnswer | AppError)[] = [];
  for (const write of writes) outcomes.push(await settled(store.write(write).then(answerWrite)));
  return outcomes;
}

async function settled(answer: Promise<RouteAnswer>): Promise<RouteAnswer | AppError> {
  try {
    return await answer;
  } catch (error) {
    return toAppError(error);
  }
}

function answerProblem(error: AppError, requestId: string): RouteAnswer {
  const { allow, location } = error.details;
  const waitMs = error.retryAfterMs ?? (error.status === 503 ? 1000 : undefined);
  return {
    status: error.status,
    headers: {
      ...(typeof allow === "string" ? { allow } : {}),
      ...(typeof location === "string" ? { location } : {}),
      ...(waitMs === undefined ? {} : { "retry-after": String(Math.ceil(waitMs / 1000)) }),
    },
    body: JSON.stringify(toProblem(error, requestId)),
  };
}
