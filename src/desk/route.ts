import type { z } from "zod";
import type { StoreInput } from "./input.ts";
import type { Caller, Scope } from "./scope.ts";
import type { DeskStore } from "./store/store.ts";
import type { WriteOperation } from "./store/write.ts";

/** What a route's handler gets: the parts of the request, parsed by the route's schemas. */
export interface Call<Query, Body> {
  readonly params: Readonly<Record<string, string>>;
  readonly query: Query;
  readonly body: Body;
  readonly caller: Caller;
}

/** What a read answers: JSON, and the object's version where it has one. */
export interface ReadAnswer {
  readonly body: string;
  readonly version?: number;
}

interface RouteFacts {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** As in OpenAPI: `/v1/tickets/{id}`. */
  readonly path: string;
  /** Null for what every key may do. */
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
  readonly input: (call: Call<unknown, unknown>) => StoreInput;
}

export interface ReadRoute extends RouteFacts {
  readonly read: (call: Call<unknown, unknown>, store: DeskStore) => Promise<ReadAnswer>;
}

export type Route = ReadRoute | WriteRoute;

type Output<T extends z.ZodType | undefined> = T extends z.ZodType ? z.output<T> : undefined;

type Typed<R extends Route, K extends keyof R, F> = Omit<R, K | "query" | "body"> & Record<K, F>;

/** Declares a route that writes; the types of its body come from its schema. */
export function writeRoute<B extends z.ZodType | undefined = undefined>(
  route: Typed<WriteRoute, "input", (call: Call<undefined, Output<B>>) => StoreInput> & { readonly body?: B },
): Route {
  return route as unknown as WriteRoute;
}

/** Declares a route that reads; the types of its query come from its schema. */
export function readRoute<Q extends z.ZodType | undefined = undefined>(
  route: Typed<
    ReadRoute,
    "read",
    (call: Call<Output<Q>, undefined>, store: DeskStore) => Promise<ReadAnswer>
  > & { readonly query?: Q },
): Route {
  return route as unknown as ReadRoute;
}
