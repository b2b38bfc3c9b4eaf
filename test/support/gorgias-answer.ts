import type { GorgiasBehaviour, GorgiasState } from "./gorgias-state.ts";

export type Json = Readonly<Record<string, unknown>>;

/** A call to the stub's API, its body parsed. */
export interface GorgiasCall {
  readonly method: string;
  /** The path after `/api/`, in parts. */
  readonly parts: readonly string[];
  readonly query: URLSearchParams;
  readonly body: Json;
  readonly state: GorgiasState;
  readonly behaviour: GorgiasBehaviour;
}

export interface GorgiasAnswer {
  readonly status: number;
  readonly body?: unknown;
}

/** An error as Gorgias words it. */
export function refuse(
  status: number,
  msg: string,
  data: Readonly<Record<string, readonly string[]>> = {},
): GorgiasAnswer {
  return { status, body: { error: { msg, data } } };
}

interface Listed {
  readonly id: number;
}

/** One page of a list, newest first by the given time; the cursor stands for the last row given, so rows that move up are not skipped. */
export function pageOf<T extends Listed>(
  { query, behaviour }: Pick<GorgiasCall, "query" | "behaviour">,
  rows: Iterable<T>,
  timeOf: (row: T) => string,
): GorgiasAnswer {
  const limit = Math.min(Number(query.get("limit") ?? 30), 100, behaviour.pageSize);
  if (!(limit >= 1)) return refuse(400, "Invalid query", { limit: ["Must be between 1 and 100."] });
  const place = (row: T): string => `${timeOf(row)} ${String(row.id).padStart(9, "0")}`;
  const from = query.get("cursor");
  const after = from === null ? undefined : Buffer.from(from, "base64url").toString();
  const sorted = [...rows].toSorted((a, b) => (place(a) < place(b) ? 1 : -1));
  const left = after === undefined ? sorted : sorted.filter((row) => place(row) < after);
  const data = left.slice(0, limit);
  const last = data.at(-1);
  const next =
    left.length > limit && last !== undefined ? Buffer.from(place(last)).toString("base64url") : null;
  return { status: 200, body: { data, meta: { prev_cursor: null, next_cursor: next }, object: "list" } };
}

export function object(value: unknown): Json {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

export function list(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.map(object) : [];
}

export function text(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}
