import type { FastifyRequest } from "fastify";
import { AppError } from "../errors.ts";
import type { AuthenticateEndUser } from "./end-user.ts";
import type { KeyRing } from "./key-ring.ts";
import type { CallerKind, Route } from "./route.ts";
import type { Caller, Scope } from "./scope.ts";
import { mayUse } from "./scope.ts";

interface Gates {
  readonly keys: KeyRing;
  readonly endUsers: AuthenticateEndUser;
}

/** What kind of caller a route takes. */
export function callerKindOf(route: Route): CallerKind {
  return route.caller ?? "key";
}

/** Who sends a request; throws `unauthorized` for a stranger and for a caller of another kind, `forbidden` for a key without the route's scope. */
export async function authorize(request: FastifyRequest, route: Route, gates: Gates): Promise<Caller> {
  if (callerKindOf(route) === "end_user") return gates.endUsers(endUserToken(request, "stream" in route));
  const key = bearer(request, 500);
  if (key === undefined)
    throw new AppError("unauthorized", "send an API key as `Authorization: Bearer <key>`");
  const caller = await gates.keys.authenticate(key);
  requireScope(caller, route.scope);
  return caller;
}

/** Throws `forbidden` for an API key without the scope. */
export function requireScope(caller: Caller, scope: Scope | null): void {
  if (scope === null || mayUse(caller, scope)) return;
  throw new AppError("forbidden", `the API key ${caller.id} lacks the scope ${scope}`);
}

/** Of a token in characters: far more than what is read in it needs. */
const longestToken = 8000;

function bearer(request: FastifyRequest, longest: number): string | undefined {
  const token = /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? "")?.[1];
  return token === undefined || token.length > longest ? undefined : token;
}

/** Browsers' event sources send no headers of ours: a stream takes the token in its address too. */
function endUserToken(request: FastifyRequest, inQuery: boolean): string {
  const { access_token: asked } = (request.query ?? {}) as Readonly<Record<string, unknown>>;
  const token = bearer(request, longestToken) ?? (inQuery && typeof asked === "string" ? asked : undefined);
  if (token === undefined)
    throw new AppError(
      "unauthorized",
      `send a token of an end user, of ${longestToken} characters at most, as \`Authorization: Bearer <token>\``,
    );
  return token;
}
