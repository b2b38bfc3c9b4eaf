import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import { createDice } from "../../demo/day/dice.ts";

/** Before or after the vendor has acted on the call. After: what was asked for has taken effect, whatever the caller is told. */
type Moment = "before" | "after";

/** Something that goes wrong with one call to a vendor. With `before` (and not merely a delay) the vendor never acts on the call. */
export type Fault =
  /** The connection is reset; no answer. */
  | { readonly kind: "drop"; readonly when: Moment }
  /** The call, or its answer, is held back. */
  | { readonly kind: "delay"; readonly when: Moment; readonly ms: number }
  /** This is answered in place of what the vendor would have said. */
  | {
      readonly kind: "answer";
      readonly when: Moment;
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
    }
  /** The vendor has acted; its answer breaks off in the middle, and the connection with it. */
  | { readonly kind: "truncate" }
  /** Whatever a test wants to do at that moment, such as end the caller; awaited. */
  | { readonly kind: "run"; readonly when: Moment; readonly run: () => Promise<void> | void };

/** A call that a plan decides about. Numbers begin with 1; a read (GET) has `write` 0. */
export interface FaultedCall {
  readonly method: string;
  readonly path: string;
  readonly number: number;
  readonly write: number;
}

/** What goes wrong with a call: nothing, one thing, or several one after the other. */
export type FaultPlan = (call: FaultedCall) => Fault | readonly Fault[] | undefined;

/** 429 with `Retry-After`, before anything was done. */
export function rateLimited(retryAfterSeconds: number): Fault {
  const headers = { "retry-after": String(retryAfterSeconds), "content-type": "application/json" };
  return { kind: "answer", when: "before", status: 429, headers, body: '{"error":"rate limited"}' };
}

/** A 5xx; with `after` the write has taken effect all the same. */
export function serverError(when: Moment, status = 503): Fault {
  return { kind: "answer", when, status, body: "upstream connect error" };
}

/** Success with a page for humans in it, such as a proxy's or a login's. */
export function htmlPage(when: Moment): Fault {
  const headers = { "content-type": "text/html" };
  return { kind: "answer", when, status: 200, headers, body: "<!doctype html><title>Please wait</title>" };
}

/**
 * Puts faults around any vendor stub. `handler` is called at most once a call, and exactly once unless a fault of kind `drop` or `answer` comes
 * before it; its answer is held until it has ended, so that it can be dropped, cut or replaced.
 */
export function withFaults(handler: RequestListener, plan: FaultPlan): RequestListener {
  let number = 0;
  let writes = 0;
  return (request, response) => {
    number += 1;
    const isRead = request.method === "GET" || request.method === "HEAD";
    if (!isRead) writes += 1;
    const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
    const planned = plan({ method: request.method ?? "", path, number, write: isRead ? 0 : writes });
    const faults = planned === undefined ? [] : [planned].flat();
    if (faults.length === 0) handler(request, response);
    else void goWrong(handler, request, response, faults);
  };
}

/** Faults by the number of the write (the first is 1). */
export function faultsAt(byWrite: Readonly<Record<number, Fault | readonly Fault[]>>): FaultPlan {
  return ({ write }) => byWrite[write];
}

/** Each write meets one of the faults with this probability in [0, 1]; the same seed gives the same plan. */
export function seededFaults(seed: string, rate: number, faults: readonly Fault[]): FaultPlan {
  const dice = createDice(`vendor faults ${seed}`);
  return ({ write }) => {
    if (write === 0 || dice.below(1_000_000) >= rate * 1_000_000) return undefined;
    return faults[dice.below(faults.length)];
  };
}

/** Faults that a test turns on and off while calls come in. */
export interface FaultSwitch {
  readonly plan: FaultPlan;
  /** For the next writes, one each; afterwards what `always` said. */
  readonly next: (...faults: readonly Fault[]) => void;
  /** For every call until it is called again; `undefined` heals. */
  readonly always: (fault: Fault | undefined) => void;
}

export function createFaultSwitch(): FaultSwitch {
  const queued: Fault[] = [];
  let standing: Fault | undefined;
  return {
    plan: ({ write }) => (write > 0 ? queued.shift() : undefined) ?? standing,
    next: (...faults) => void queued.push(...faults),
    always: (fault) => {
      standing = fault;
    },
  };
}

async function goWrong(
  handler: RequestListener,
  request: IncomingMessage,
  response: ServerResponse,
  faults: readonly Fault[],
): Promise<void> {
  for (const fault of faults) {
    if (!("when" in fault) || fault.when !== "before") continue;
    if (fault.kind === "delay") await pause(fault.ms);
    else if (fault.kind === "run") await fault.run();
    else return end(request, response, fault);
  }
  const send = holdAnswer(response);
  handler(request, response);
  const body = await send.held;
  for (const fault of faults) {
    if (fault.kind === "truncate") return cutShort(response, send, body);
    if (fault.when === "before") continue;
    if (fault.kind === "delay") await pause(fault.ms);
    else if (fault.kind === "run") await fault.run();
    else {
      send.letGo();
      for (const name of response.getHeaderNames()) response.removeHeader(name);
      return end(request, response, fault);
    }
  }
  send.letGo();
  if (!response.destroyed) response.end(body);
}

/** Ends a call with an answer of ours or none. The caller has sent all of it by then, so it cannot know how far the vendor got. */
async function end(
  request: IncomingMessage,
  response: ServerResponse,
  fault: Extract<Fault, { kind: "drop" | "answer" }>,
): Promise<void> {
  if (!request.readableEnded) {
    for await (const _ of request);
  }
  if (fault.kind === "drop") request.socket.destroy();
  else response.writeHead(fault.status, { ...fault.headers }).end(fault.body ?? "");
}

interface HeldAnswer {
  /** The handler's body, when it has ended its answer. Status and headers are on the response. */
  readonly held: Promise<Buffer>;
  /** From now on the response does again what it is told. */
  readonly letGo: () => void;
}

function holdAnswer(response: ServerResponse): HeldAnswer {
  const chunks: Buffer[] = [];
  const { promise: held, resolve } = Promise.withResolvers<Buffer>();
  const take = (chunk: unknown): void => {
    if (typeof chunk === "string" || chunk instanceof Uint8Array) chunks.push(Buffer.from(chunk as string));
  };
  const holding = {
    writeHead: (status: number, ...rest: readonly unknown[]): ServerResponse => {
      response.statusCode = status;
      const headers = (rest.find((one) => typeof one === "object") ?? {}) as Record<string, string>;
      for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
      return response;
    },
    write: (chunk: unknown): boolean => {
      take(chunk);
      return true;
    },
    end: (chunk?: unknown): ServerResponse => {
      take(chunk);
      resolve(Buffer.concat(chunks));
      return response;
    },
  };
  Object.assign(response, holding);
  return {
    held,
    letGo: () => {
      for (const name of Object.keys(holding)) Reflect.deleteProperty(response, name);
    },
  };
}

function cutShort(response: ServerResponse, { letGo }: HeldAnswer, body: Buffer): void {
  letGo();
  response.setHeader("content-length", body.length);
  response.write(body.subarray(0, Math.floor(body.length / 2)), () => response.destroy());
}
