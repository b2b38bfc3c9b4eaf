import { AppError } from "../errors.ts";
import { methodError } from "../http/problem.ts";
import type { Route } from "./route.ts";

/** A route with what an address says to it. */
export interface FoundRoute {
  readonly route: Route;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string | readonly string[]>>;
}

/** Finds the route of a request, as the server's own router does: a word goes before a parameter. Throws `not_found`, `method_not_allowed`, or `bad_request` for an address that is none. */
export type FindRoute = (method: string, address: string) => FoundRoute;

interface Pattern {
  readonly route: Route;
  readonly segments: readonly string[];
}

export function createRouteFinder(routes: readonly Route[]): FindRoute {
  const patterns = new Map<string, Pattern[]>();
  for (const route of routes) {
    const segments = route.path.split("/");
    const name = `${route.method} ${segments.length}`;
    patterns.set(name, [...(patterns.get(name) ?? []), { route, segments }]);
  }
  for (const same of patterns.values()) same.sort(wordsFirst);
  const methods = [...new Set(routes.map((route) => route.method))];
  return (method, address) => {
    const [path = "", search = ""] = address.split(/\?(.*)/s, 2);
    const segments = path.split("/");
    const found = (asked: string): Omit<FoundRoute, "query"> | undefined =>
      firstMatch(patterns.get(`${asked} ${segments.length}`) ?? [], segments);
    const route = found(method);
    if (route !== undefined) return { ...route, query: queryOf(search) };
    const others = methods.filter((other) => found(other) !== undefined);
    throw others.length > 0
      ? methodError(others)
      : new AppError("not_found", "there is nothing at this address");
  };
}

function firstMatch(
  patterns: readonly Pattern[],
  segments: readonly string[],
): Omit<FoundRoute, "query"> | undefined {
  for (const { route, segments: pattern } of patterns) {
    const params = matchSegments(pattern, segments);
    if (params !== undefined) return { route, params };
  }
  return undefined;
}

function wordsFirst({ segments: one }: Pattern, { segments: other }: Pattern): number {
  for (const [index, word] of one.entries()) {
    const order = Number(word.startsWith("{")) - Number(other[index]?.startsWith("{"));
    if (order !== 0) return order;
  }
  return 0;
}

function matchSegments(
  pattern: readonly string[],
  segments: readonly string[],
): Readonly<Record<string, string>> | undefined {
  const params: Record<string, string> = {};
  for (const [index, word] of pattern.entries()) {
    const segment = segments[index] ?? "";
    if (!word.startsWith("{")) {
      if (word !== segment) return undefined;
      continue;
    }
    if (segment === "") return undefined;
    params[word.slice(1, -1)] = decode(segment);
  }
  return params;
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new AppError("bad_request", "the address is not valid");
  }
}

function queryOf(search: string): Readonly<Record<string, string | readonly string[]>> {
  const parameters = new URLSearchParams(search);
  const entries = [...new Set(parameters.keys())].map((name) => {
    const values = parameters.getAll(name);
    return [name, values.length === 1 ? (values[0] ?? "") : values] as const;
  });
  return Object.fromEntries(entries);
}
