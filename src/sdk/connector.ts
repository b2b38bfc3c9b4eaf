import type { z } from "zod";
import type { Logger } from "pino";
import type { DatasetSource } from "./dataset-source.ts";
import type { Desk } from "./desk.ts";
import type { HttpClient, HttpClientOptions } from "./http.ts";
import type { Sink } from "./sink.ts";
import type { Enricher, Source } from "./source.ts";
import type { SharedToken, TokenSource } from "./token.ts";
import type { Webhook } from "./webhook.ts";

/** What the engine lends to an open connection. Everything in it is safe to keep until `close`. */
export interface ConnectorContext {
  /** The connection's name in the configuration; it is the `source` of its events. */
  readonly connection: string;
  /** Logs with the connection's name on every line; secrets are redacted. */
  readonly logger: Logger;
  /** The time in milliseconds since the epoch. Tests inject their own. */
  readonly now: () => number;
  /** Aborted when the connection is being closed. */
  readonly signal: AbortSignal;
  /** The connection's access token, for vendors whose tokens end: fetched by one process, used by all. */
  readonly token: (source: TokenSource) => SharedToken;
  /** An HTTP client with keep-alive, time and size limits, redaction and classified errors. The engine closes it. */
  readonly http: (options: HttpClientOptions) => HttpClient;
}

/** One fact found by `check`, shown by `deskbridge doctor`. */
export interface CheckResult {
  readonly name: string;
  readonly ok: boolean;
  /** What was found and, when not ok, what to do about it. */
  readonly detail: string;
}

/**
 * How fast the vendor lets us call, over all processes: at most `calls` in any stretch of `perSeconds`. It covers every call of the
 * connection's HTTP clients: operations, enrichment, polls and checks. `HttpClientOptions.budget` says what a call weighs and how the
 * vendor's headers are read; what they say adjusts the limit. The operator's own `rateLimit` takes its place and is never exceeded.
 */
export interface RateLimit {
  readonly calls: number;
  readonly perSeconds: number;
  /** What the limit is counted by at the vendor, such as a subdomain or a shop, where several connections may share it; no secret. */
  readonly account?: string;
}

/**
 * An open connection. Each optional member is a capability; what is absent is not offered. Lifecycle: import (no side effects), parse
 * config, open, use, close. `close` is called once, after the last use.
 */
export interface Connection {
  readonly webhook?: Webhook;
  /** Named things that can be polled, such as `orders`. */
  readonly sources?: Readonly<Record<string, Source>>;
  /** Fetches what an event lacks before it is mapped. */
  readonly enrich?: Enricher;
  readonly desk?: Desk;
  /** What can be exported from here. */
  readonly datasets?: DatasetSource;
  /** Takes what is exported. */
  readonly sink?: Sink;
  /** How fast the vendor lets us call, where it is known beforehand. */
  readonly rateLimit?: RateLimit;
  readonly check?: (signal: AbortSignal) => Promise<readonly CheckResult[]>;
  readonly close?: () => Promise<void>;
}

/** A connector: one vendor. `config` is a strict zod object whose descriptions become the reference page and the editor schema. */
export interface ConnectorDefinition<S extends z.ZodType = z.ZodType> {
  readonly name: string;
  /** One line for the connector table. */
  readonly description: string;
  readonly config: S;
  /** Opens a connection; throws `AppError` when the configuration cannot work. Does no network I/O before it is used. */
  readonly open: (config: z.output<S>, context: ConnectorContext) => Connection | Promise<Connection>;
}

/** Declares a connector; its result is the default export of the connector's `index.ts`. */
export function defineConnector<S extends z.ZodType>(
  definition: ConnectorDefinition<S>,
): ConnectorDefinition<S> {
  return definition;
}
