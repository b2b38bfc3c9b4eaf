import { AppError } from "deskbridge/sdk";
import type { ConnectorContext, HttpClient } from "deskbridge/sdk";
import { z } from "zod";
import type { Config } from "./config.ts";

/** What goes into the `authorization` header. */
export interface Credential {
  readonly header: (signal: AbortSignal | undefined) => Promise<string>;
  /** Forgets the token of a header that was refused; false when there is no other to be had. */
  readonly renew: (refused: string) => boolean;
}

/** A token is renewed this long before it ends. */
const reserveMs = 60_000;
/** How long a token is kept whose end was not told. */
const untoldLifeSeconds = 24 * 3600;

const tokenAnswer = z.object({
  access_token: z.string().min(1),
  expires_in: z.number().positive().nullish(),
});

/** The credential that the settings hold. An access token of the client-credentials grant is shared by all processes. */
export function createCredential(
  settings: Config,
  http: HttpClient,
  { now, token }: Pick<ConnectorContext, "now" | "token">,
): Credential {
  const { accessToken, email, apiToken, clientId, clientSecret } = settings;
  if (accessToken !== undefined) return fixed(`Bearer ${accessToken}`);
  if (clientId === undefined || clientSecret === undefined) {
    return fixed(`Basic ${Buffer.from(`${email}/token:${apiToken}`).toString("base64")}`);
  }
  const shared = token({
    sealedWith: `${clientId} ${clientSecret}`,
    fetch: async () => {
      const { access_token: value, expires_in: seconds } = await requestToken(settings, http);
      const lifeMs = (seconds ?? untoldLifeSeconds) * 1000;
      return { value, endsAt: now() + lifeMs - Math.min(reserveMs, lifeMs / 2) };
    },
  });
  return {
    header: async (signal) => {
      const value = await shared.current();
      signal?.throwIfAborted();
      return `Bearer ${value}`;
    },
    renew: (refused) => {
      shared.refuse(refused.replace(/^Bearer /, ""));
      return true;
    },
  };
}

function fixed(header: string): Credential {
  return { header: async () => header, renew: () => false };
}

async function requestToken(
  { clientId, clientSecret, scopes }: Config,
  http: HttpClient,
): Promise<z.output<typeof tokenAnswer>> {
  const body = {
    grant_type: "client_credentials",
    client_id: clientId,
    client_secret: clientSecret,
    scope: scopes.join(" "),
  };
  try {
    const answer = await http.request({ method: "POST", path: "/oauth/tokens", body });
    const parsed = tokenAnswer.safeParse(answer.body);
    if (parsed.success) return parsed.data;
  } catch (thrown) {
    throw thrown instanceof AppError ? tokenFault(thrown) : thrown;
  }
  throw tokenFault(
    new AppError("target_protocol", "The answer to the request for a token holds no access token."),
  );
}

// Whatever the call wanted to write was not sent; and a client that is refused is a credential to be mended, not a bad delivery.
function tokenFault(error: AppError): AppError {
  const refused = error.code === "target_rejected" || error.code === "target_not_found";
  return new AppError(refused ? "target_unauthorized" : error.code, `No access token: ${error.message}`, {
    cause: error,
    details: { ...error.details, reached: false },
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
  });
}
