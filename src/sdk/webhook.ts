import type { EventInput } from "../model/event.ts";

/** A request as it arrived: the body is raw bytes, header names are in lower case, the first value of a repeated header counts. */
export interface WebhookRequest {
  readonly method: string;
  /** What follows `/hooks/<connection>`, without a leading slash; empty for most vendors. */
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** When it arrived, in milliseconds since the epoch. */
  readonly receivedAt: number;
}

/**
 * Receives a vendor's webhooks. `verify` runs first, over the raw bytes and in constant time, and throws `AppError` `webhook_signature` or
 * `webhook_stale`. `parse` turns the verified body into events, an empty list for a topic nobody needs (a ping); it throws
 * `webhook_malformed` for a body that is not of the vendor's form.
 */
export interface Webhook {
  readonly verify: (request: WebhookRequest) => void;
  readonly parse: (request: WebhookRequest) => readonly EventInput[];
}
