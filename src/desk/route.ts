import type { Readable } from "node:stream";
import type { z } from "zod";
import type { LinkQuery } from "./attachment-link.ts";
import type { Attachments } from "./attachments.ts";
import type { OwnEvents } from "./end-user-feed.ts";
import type { Feed } from "./feed.ts";
import type { StoreInput } from "./input.ts";
import type { Caller, Scope } from "./scope.ts";
import type { DeskStore } from "./store/store.ts";
import type { WebhookAddresses } from "./webhook-address.ts";
import type { WriteOperation } from "./store/write.ts";

/** What a route's handler gets: the parts of the request, parsed by the route's schemas. */
export interface Call<Query, Body> {
  readonly params: Readonly<Record<string, string>>;
  readonly query: Query;
  readonly body: Body;
  readonly caller: Caller;
  /** Where the client reached this server, such as `https://desk.example`; empty where that is not known. */
  readonly origin: string;
}

/** What a read answers: JSON, and the object's version where it has one. */
export interface ReadAnswer {
  readonly body: string;
  readonly version?: number;
}

/** Who may call a route: an API key with the route's scope, an end user with a token of theirs, or anyone. */
export type CallerKind = "key" | "end_user" | "anyone";

/** What is true of any route. */
export interface RouteFacts {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** As in OpenAPI: `/v1/tickets/{id}`. */
  readonly path: string;
  /** An API key unless told. */
  readonly caller?: CallerKind;
  /** Null for what every caller of the kind may do. */
  readonly scope: Scope | null;
  readonly summary: string;
  readonly query?: z.ZodType;
  readonly body?: z.ZodType;
  /** Schemas of the successful answers by status. */
  readonly answers: Readonly<Record<number, z.ZodType>>;
}

/** A route that writes: it says what is to be written, and the store does it once per idempotency key. */
export interface WriteRoute extends RouteFacts {
  readonly operation: WriteOperation;
  /** Whether `If-Match` is looked at. */
  readonly versioned?: boolean;
  /** Whether it is carried out each time, also with an `Idempotency-Key` that was seen before: its answer holds a secret, which is kept nowhere. */
  readonly repeated?: boolean;
  readonly input: (call: Call<unknown, unknown>, context: WriteContext) => StoreInput;
}

/** What routes may ask besides the request. */
export interface WriteContext {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Undefined in a process that keeps none. */
  readonly attachments: Attachments | undefined;
  readonly webhookAddresses: WebhookAddresses;
}

export interface ReadRoute extends RouteFacts {
  readonly read: (
    call: Call<unknown, unknown>,
    store: DeskStore,
    context: WriteContext,
  ) => Promise<ReadAnswer>;
}

/** A route whose body is the bytes of a file, of any type. */
export interface UploadRoute extends RouteFacts {
  readonly upload: (call: Call<unknown, unknown>) => { readonly filename: string };
}

/** A route that answers the bytes of a file, to whoever has an address that was signed for it. */
export interface FileRoute extends RouteFacts {
  readonly file: (call: Call<unknown, unknown>) => {
    readonly attachment: number;
    readonly link: LinkQuery;
  };
}

/** A route that answers rows as CSV, streamed out of the database. Its `query` is parsed before the first byte. */
export interface RowsRoute extends RouteFacts {
  readonly rows: (call: Call<unknown, unknown>, store: DeskStore) => Promise<RowsAnswer>;
}

export interface RowsAnswer {
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Undefined for no rows at all. The server destroys it when the client is gone. */
  readonly rows: Readable | undefined;
}

/** A route that answers Server-Sent Events for as long as the client stays. Its `answers` are what the `data` of one event is. */
export interface StreamRoute extends RouteFacts {
  /** Throws before the first byte what is wrong with the request. The server destroys the stream when the client is gone. */
  readonly stream: (call: Call<unknown, unknown>, source: StreamSource) => Promise<Readable>;
}

export interface StreamSource {
  readonly feed: Feed;
  readonly ownEvents: OwnEvents;
  /** The header `Last-Event-ID`: where the client was when it lost its connection. */
  readonly lastEventId: string | undefined;
  /** Whether the caller may still have what is streamed: false when their key or token was revoked, or cannot be looked at. */
  readonly mayGoOn: () => Promise<boolean>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** The route that carries out requests to other routes. */
export interface BatchRoute extends RouteFacts {
  /** The largest body that it takes, in bytes. */
  readonly maxBatchBytes: number;
}

export type Route = ReadRoute | WriteRoute | StreamRoute | BatchRoute | UploadRoute | FileRoute | RowsRoute;

type Output<T extends z.ZodType | undefined> = T extends z.ZodType ? z.output<T> : undefined;

type Typed<R extends Route, K extends keyof R, F> = Omit<R, K | "query" | "body"> & Record<K, F>;

/** Declares a route that writes; the types of its body come from its schema. */
export function writeRoute<B extends z.ZodType | undefined = undefined>(
  route: Typed<
    WriteRoute,
    "input",
    (call: Call<undefined, Output<B>>, context: WriteContext) => StoreInput
  > & { readonly body?: B },
): Route {
  return route as unknown as WriteRoute;
}

/** Declares a route that reads; the types of its query come from its schema. */
export function readRoute<Q extends z.ZodType | undefined = undefined>(
  route: Typed<
    ReadRoute,
    "read",
    (call: Call<Output<Q>, undefined>, store: DeskStore, context: WriteContext) => Promise<ReadAnswer>
  > & { readonly query?: Q },
): Route {
  return route as unknown as ReadRoute;
}

/** Declares a route that takes files in; the types of its query come from its schema. */
export function uploadRoute<Q extends z.ZodType | undefined = undefined>(
  route: Typed<UploadRoute, "upload", (call: Call<Output<Q>, undefined>) => { readonly filename: string }> & {
    readonly query?: Q;
  },
): Route {
  return route as unknown as UploadRoute;
}

/** Declares a route that hands files out; the types of its query come from its schema. */
export function fileRoute<Q extends z.ZodType | undefined = undefined>(
  route: Typed<FileRoute, "file", (call: Call<Output<Q>, undefined>) => ReturnType<FileRoute["file"]>> & {
    readonly query?: Q;
  },
): Route {
  return route as unknown as FileRoute;
}

/** Declares a route that answers rows; the types of its query come from its schema. */
export function rowsRoute<Q extends z.ZodType | undefined = undefined>(
  route: Typed<
    RowsRoute,
    "rows",
    (call: Call<Output<Q>, undefined>, store: DeskStore) => Promise<RowsAnswer>
  > & { readonly query?: Q },
): Route {
  return route as unknown as RowsRoute;
}

/** Declares a route that streams; the types of its query come from its schema. */
export function streamRoute<Q extends z.ZodType | undefined = undefined>(
  route: Typed<
    StreamRoute,
    "stream",
    (call: Call<Output<Q>, undefined>, source: StreamSource) => Promise<Readable>
  > & { readonly query?: Q },
): Route {
  return route as unknown as StreamRoute;
}
