import { createHash } from "node:crypto";
import { hmacSignature } from "../../src/sdk/signature.ts";
import type { Step } from "../day/day.ts";

/** How the vendor signs: base64 HMAC-SHA256 of the raw body. */
const scheme = { header: "x-shopify-hmac-sha256", algorithm: "sha256", encoding: "base64" } as const;

export interface SenderOptions {
  /** Where the hook is now; asked before every attempt, since a receiver that was restarted may answer elsewhere. */
  readonly hookUrl: () => string | Promise<string>;
  readonly clientSecret: string;
  readonly shopDomain: string;
  /** After how long without a final answer `send` gives up, over all attempts, in milliseconds. */
  readonly giveUpMs: number;
  /** Makes `send` throw at once. */
  readonly signal?: AbortSignal;
}

/** A shop's webhook sender. */
export interface Sender {
  /**
   * Sends a step until it gets a final answer and resolves with its status. Like the vendor it sends again when nobody answers, when the
   * connection breaks in the middle, and after a 5xx. Throws when the time is up.
   */
  readonly send: (step: Step) => Promise<number>;
}

const pauseMs = 100;
const attemptMs = 5000;

export function createSender(options: SenderOptions): Sender {
  return {
    send: async (step) => {
      const request = {
        method: "POST",
        headers: headersOf(step, options),
        body: step.flaw === "changed_on_the_way" ? changed(step.body) : step.body,
      };
      const until = Date.now() + options.giveUpMs;
      for (;;) {
        options.signal?.throwIfAborted();
        const status = await attempt(await options.hookUrl(), request);
        if (status !== undefined && status < 500) return status;
        if (Date.now() > until) throw new Error(`${step.topic} ${step.eventId} got no final answer`);
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    },
  };
}

async function attempt(url: string, request: RequestInit): Promise<number | undefined> {
  try {
    const response = await fetch(url, { ...request, signal: AbortSignal.timeout(attemptMs) });
    await response.arrayBuffer();
    return response.status;
  } catch {
    return undefined;
  }
}

function headersOf(step: Step, { clientSecret, shopDomain }: SenderOptions): Record<string, string> {
  const secret = step.flaw === "wrong_secret" ? `not ${clientSecret}` : clientSecret;
  return {
    "content-type": "application/json",
    "x-shopify-topic": step.topic,
    "x-shopify-shop-domain": shopDomain,
    "x-shopify-api-version": "2026-07",
    "x-shopify-event-id": step.eventId,
    // Every delivery has a number of its own; the event's id is the same in a repeat.
    "x-shopify-webhook-id": createHash("sha256").update(`${step.eventId} ${step.isRepeat}`).digest("hex"),
    "x-shopify-triggered-at": new Date().toISOString(),
    [scheme.header]: hmacSignature(scheme, secret, { headers: {}, body: Buffer.from(step.body) }),
  };
}

/** The same length and still JSON, but one digit is another. */
function changed(body: string): string {
  return body.replace(/\d/, (digit) => String((Number(digit) + 1) % 10));
}
