import { AppError } from "deskbridge/sdk";
import type { ConnectorContext, HttpClient } from "deskbridge/sdk";
import { z } from "zod";
import type { Config } from "./config.ts";

/** What goes into the `authorization` header. */
export interface Credential {
  readonly header: (signal: AbortSignal | undefined) => Promise<string>;
  /** Forgets a token that was refused; false when there is no other to be had. */
  readonly renew: () => boolean;
}

/** A token is renewed this long before it ends. */
const reserveMs = 60_000;
/** How long a token is kept whose end was not told. */
const untoldLifeSeconds = 24 * 3600;

const tokenAnswer = z.object({
  access_token: z.string().min(1),
  expires_in: z.number().positive().nullish(),
});

/**
 * The credential that the settings hold. Access tokens of the client-credentials grant are kept in this process; callers at the same time share
 * one request for one.
 */
export function createCredential(
  settings: Config,
  http: HttpClient,
  { now }: Pick<ConnectorContext, "now">,
): Credential {
  const { accessToken, email, apiToken, clientId } = settings;
  if (accessToken !== undefined) return fixed(`Bearer ${accessToken}`);
  if (clientId === undefined) {
    return fixed(`Basic ${Buffer.from(`${email}/token:${apiToken}`).toString("base64")}`);
  }
  let token: { readonly header: string; readonly until: number } | undefined;
  let fetching: Promise<string> | undefined;
  const fetchToken = async (): Promise<string> => {
    const { access_token: value, expires_in: seconds } = await requestToken(settings, http);
    const lifeMs = (seconds ?? untoldLifeSeconds) * 1000;
    const header = `Bearer ${value}`;
    token = { header, until: now() + lifeMs - Math.min(reserveMs, lifeMs / 2) };
    return header;
  };
  return {
    header: async (signal) => {
      if (token !== undefined && now() < token.until) return token.header;
      // Callers share one request, so none of their signals may end it; the client's time limit does.
      fetching ??= fetchToken().finally(() => {
        fetching = undefined;
      });
      const header = await fetching;
      signal?.throwIfAborted();
      return header;
    },
    renew: () => {
      token = undefined;
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
