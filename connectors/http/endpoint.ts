import { standardWebhooksHeaders } from "deskbridge/sdk";
import type { ConnectorContext, HttpRequest, HttpResponse } from "deskbridge/sdk";
import type { Config } from "./config.ts";

/** One request to the endpoint. */
export interface EndpointRequest {
  /** Stays the same when the request is sent again, so that the endpoint can tell. */
  readonly id: string;
  readonly method?: HttpRequest["method"];
  /** What comes after the address; the address itself when absent. */
  readonly path?: string;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** JSON as text; none for a request without a body. */
  readonly json?: string;
  readonly signal: AbortSignal;
}

/** The configured address: signs what goes there. Any 2xx is success, whatever it says; errors are those of `HttpClient`. */
export type Endpoint = (request: EndpointRequest) => Promise<HttpResponse>;

export function createEndpoint(settings: Config, context: Pick<ConnectorContext, "http" | "now">): Endpoint {
  const url = new URL(settings.url);
  const query = Object.fromEntries(url.searchParams);
  const own = url.pathname === "/" ? "" : url.pathname;
  // The path may hold a secret, as it does with chat tools, and is no part of an error where it belongs to the base.
  const http = context.http({
    baseUrl: url.origin + own,
    headers: settings.headers,
    timeoutMs: settings.timeoutSeconds * 1000,
  });
  const atOwnAddress = own.endsWith("/") ? "/" : "";
  return (request) => {
    const body = request.json === undefined ? undefined : Buffer.from(request.json);
    return http.request({
      method: request.method ?? "POST",
      path: request.path === undefined || request.path === "" ? atOwnAddress : request.path,
      query: { ...query, ...request.query },
      headers: {
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...request.headers,
        "idempotency-key": request.id,
        ...signature(settings, request.id, body ?? Buffer.alloc(0), context.now()),
      },
      ...(body === undefined ? {} : { body }),
      answer: "any",
      signal: request.signal,
    });
  };
}

function signature({ secret }: Config, id: string, body: Buffer, now: number): Record<string, string> {
  if (secret === undefined) return {};
  const message = { id, timestampSeconds: Math.floor(now / 1000), body };
  const all = [secret].flat().map((one) => standardWebhooksHeaders(one, message));
  return { ...all[0], "webhook-signature": all.map((one) => one["webhook-signature"]).join(" ") };
}
