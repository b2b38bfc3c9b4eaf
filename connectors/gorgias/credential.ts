import type { ConnectorContext, HttpClient, Token } from "deskbridge/sdk";
import { z } from "zod";
import type { Config } from "./config.ts";
import { parseAnswer } from "./object.ts";

/** What goes into the `authorization` header. */
export interface Credential {
  readonly header: () => Promise<string>;
  /** Forgets the token of a header that was refused; false when there is no other to be had. */
  readonly renew: (refused: string) => boolean;
}

export const tokenPath = "/oauth/token";

/** A token is renewed this long before it ends. */
const reserveMs = 60_000;

const tokenAnswer = z.object({
  access_token: z.string().min(1),
  expires_in: z.number().positive().nullish(),
  refresh_token: z.string().min(1).nullish(),
});

type RefreshAuth = Extract<Config["auth"], { readonly method: "refresh" }>;

/** The credential that the settings hold. Tokens fetched with a refresh token are shared by all processes. */
export function createCredential(
  { auth }: Config,
  http: HttpClient,
  { now, token }: Pick<ConnectorContext, "now" | "token">,
): Credential {
  if (auth.method === "key") return fixed(basic(auth.email, auth.apiKey));
  if (auth.method === "token") return fixed(`Bearer ${auth.accessToken}`);
  const shared = token({
    // The refresh token too: a new one in the settings takes the place of what was handed on.
    sealedWith: [auth.clientId, auth.clientSecret, auth.refreshToken].join(" "),
    fetch: (last) => fetchToken(auth, last, http, now),
  });
  return {
    header: async () => `Bearer ${await shared.current()}`,
    renew: (refused) => {
      shared.refuse(refused.replace(/^Bearer /, ""));
      return true;
    },
  };
}

function fixed(value: string): Credential {
  return { header: async () => value, renew: () => false };
}

/** A refresh token may be good for once: the one that came with the last access token is used next. */
async function fetchToken(
  { clientId, clientSecret, refreshToken }: RefreshAuth,
  last: Token | undefined,
  http: HttpClient,
  now: () => number,
): Promise<Token> {
  const refresh = last?.state ?? refreshToken;
  const answer = await http.request({
    method: "POST",
    path: tokenPath,
    headers: { authorization: basic(clientId, clientSecret) },
    body: new URLSearchParams({ grant_type: "refresh_token", refresh_token: refresh }),
  });
  const told = parseAnswer(tokenAnswer, "a token", answer);
  return {
    value: told.access_token,
    endsAt: now() + (told.expires_in ?? 3600) * 1000 - reserveMs,
    state: told.refresh_token ?? refresh,
  };
}

function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}
