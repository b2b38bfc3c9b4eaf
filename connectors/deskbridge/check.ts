import { AppError } from "deskbridge/sdk";
import type { CheckResult, HttpClient } from "deskbridge/sdk";
import { z } from "zod";
import { patterns } from "./event.ts";

const ownKey = z.object({ id: z.string(), scopes: z.array(z.string()) });
const webhookPage = z.object({
  data: z.array(z.object({ url: z.string(), enabled: z.boolean(), status: z.string() })),
  next_cursor: z.string().nullable(),
});

const needed = ["tickets:write", "contacts:write", "orders:write"];
const neededToExport = ["tickets:read", "contacts:read", "orders:read", "metrics:read"];
const neededToReceive = ["tickets:read", "contacts:read"];

interface CheckRequest {
  readonly http: HttpClient;
  readonly connection: string;
  /** Whether webhooks are taken. */
  readonly receives: boolean;
  readonly signal: AbortSignal;
}

/** Whether the Support API takes the key, whether the key may do what the connection is for, and whether a webhook to us is there. */
export async function checkDesk(request: CheckRequest): Promise<readonly CheckResult[]> {
  const { http, receives, signal } = request;
  try {
    const { body } = await http.request({ method: "GET", path: "/v1/key", signal });
    const { id, scopes } = ownKey.parse(body);
    return [
      { name: "API key", ok: true, detail: `accepted as ${id}` },
      scopeResult(scopes, receives ? [...needed, ...neededToReceive] : needed),
      datasetResult(scopes),
      ...(receives ? [await webhookResult(request)] : []),
    ];
  } catch (error) {
    const reason = error instanceof AppError ? error.message : "the answer is not that of a Support API";
    return [{ name: "API key", ok: false, detail: `${reason}; check url and apiKey` }];
  }
}

function scopeResult(scopes: readonly string[], wanted: readonly string[]): CheckResult {
  const missing = scopes.includes("admin") ? [] : wanted.filter((scope) => !scopes.includes(scope));
  if (missing.length === 0) return { name: "scopes", ok: true, detail: "every operation is allowed" };
  return {
    name: "scopes",
    ok: false,
    detail: `the key lacks ${missing.join(", ")}; make one that has them with \`deskbridge keys create\``,
  };
}

/** Not every desk is exported: what is lacking is told and no fault. */
function datasetResult(scopes: readonly string[]): CheckResult {
  const missing = scopes.includes("admin") ? [] : neededToExport.filter((scope) => !scopes.includes(scope));
  const detail =
    missing.length === 0
      ? "every dataset can be exported"
      : `exports of all datasets would take a key that has ${missing.join(", ")} too`;
  return { name: "datasets", ok: true, detail };
}

async function webhookResult({ http, connection, signal }: CheckRequest): Promise<CheckResult> {
  const name = "webhook";
  let cursor: string | undefined;
  do {
    const query = { limit: 200, cursor };
    const { status, body } = await http.request({
      method: "GET",
      path: "/v1/webhooks",
      query,
      accept: [403],
      signal,
    });
    if (status === 403) {
      return { name, ok: true, detail: "not looked for: that takes a key with the scope webhooks:manage" };
    }
    const page = webhookPage.parse(body);
    const ours = page.data.find(({ url, enabled }) => enabled && isOurs(url, connection));
    if (ours !== undefined)
      return { name, ok: ours.status !== "failing", detail: `${ours.url} is ${ours.status}` };
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined);
  return {
    name,
    ok: false,
    detail: `no active webhook to /hooks/${connection}; POST ${JSON.stringify(webhookBody(connection))} to /v1/webhooks and set webhookSecret to the secret in the answer`,
  };
}

/** What makes the webhook to us, but for the address. */
export function webhookBody(connection: string): {
  readonly url: string;
  readonly events: readonly string[];
} {
  return { url: `https://<address of deskbridge>/hooks/${connection}`, events: patterns };
}

function isOurs(url: string, connection: string): boolean {
  return URL.canParse(url) && new URL(url).pathname.replace(/\/$/, "").endsWith(`/hooks/${connection}`);
}
