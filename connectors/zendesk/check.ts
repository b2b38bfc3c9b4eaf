import { AppError } from "deskbridge/sdk";
import type { CheckResult } from "deskbridge/sdk";
import { z } from "zod";
import type { ZendeskApi } from "./api.ts";
import { readRate } from "./api.ts";
import { callsByPlan } from "./config.ts";
import type { Config } from "./config.ts";

/** On this day the vendor switches all API tokens off. */
const tokensEnd = "2027-04-30";

const me = z.object({ user: z.object({ id: z.number().nullish(), role: z.string().nullish() }) });
const fieldList = z.object({ ticket_fields: z.array(z.object({ id: z.number() })) });
const webhookList = z.object({
  webhooks: z.array(z.object({ endpoint: z.string().nullish(), status: z.string().nullish() })),
});

/** What is told of an account by `deskbridge doctor`. */
export async function checkAccount(
  api: ZendeskApi,
  settings: Config,
  now: () => number,
  signal: AbortSignal,
): Promise<readonly CheckResult[]> {
  try {
    const answer = await api.send({ method: "GET", path: "/api/v2/users/me", signal });
    const { user } = me.parse(answer.body);
    if (typeof user.id !== "number")
      return [failed("credential", "the account takes us for nobody; renew it")];
    const role = user.role ?? "unknown";
    return [
      { name: "credential", ok: true, detail: `accepted as user ${user.id}, role ${role}` },
      ...tokenResult(settings, now()),
      limitResult(readRate(answer)?.limit, settings),
      exportResult(role),
      await scopeResult(api, signal),
      ...(await fieldResults(api, settings, signal)),
      ...(await objectResult(api, settings, signal)),
      ...(await hookResult(api, settings, signal)),
    ];
  } catch (error) {
    const reason = error instanceof AppError ? error.message : "the answer is not that of the Support API";
    return [failed("credential", `${reason}; check subdomain and the credential`)];
  }
}

function failed(name: string, detail: string): CheckResult {
  return { name, ok: false, detail };
}

function tokenResult({ apiToken }: Config, now: number): readonly CheckResult[] {
  if (apiToken === undefined) return [];
  const ok = now < Date.parse(tokensEnd);
  const detail = `the vendor ${ok ? "switches" : "switched"} API tokens off on ${tokensEnd}; make a confidential OAuth client and give its clientId and clientSecret instead`;
  return [{ name: "API token", ok, detail }];
}

function limitResult(limit: number | undefined, { plan }: Config): CheckResult {
  const assumed = callsByPlan[plan];
  if (limit === undefined)
    return { name: "rate limit", ok: true, detail: `not told; ${assumed} a minute assumed` };
  const ok = limit >= assumed;
  const detail = ok
    ? `the account takes ${limit} calls a minute, ${assumed} are assumed`
    : `the account takes ${limit} calls a minute, fewer than plan ${plan} has; correct plan`;
  return { name: "rate limit", ok, detail };
}

function exportResult(role: string): CheckResult {
  const ok = role === "admin";
  const detail = ok
    ? "an admin may read the incremental export"
    : "only an admin may read the incremental export; without one, do not poll this connection";
  return { name: "export", ok, detail };
}

async function scopeResult(api: ZendeskApi, signal: AbortSignal): Promise<CheckResult> {
  const query = { limit: 1 };
  const { status } = await api.send({
    method: "GET",
    path: "/api/v2/ticket_audits",
    query,
    accept: [403],
    signal,
  });
  return status === 403
    ? failed(
        "audits",
        "ticket audits are not to be read, by which a comment is found again; give the token the global scope read",
      )
    : { name: "audits", ok: true, detail: "comments can be found again" };
}

async function fieldResults(
  api: ZendeskApi,
  { customFields, orders }: Config,
  signal: AbortSignal,
): Promise<readonly CheckResult[]> {
  const wanted = [
    ...Object.entries(customFields),
    ...(orders.field === undefined ? [] : [["orders.field", orders.field] as const]),
  ];
  if (wanted.length === 0) return [];
  const { ticket_fields: fields } = await api.ask(
    { method: "GET", path: "/api/v2/ticket_fields", signal },
    fieldList,
  );
  const ids = new Set(fields.map(({ id }) => id));
  const missing = wanted.filter(([, id]) => !ids.has(id)).map(([name, id]) => `${name} (${id})`);
  if (missing.length === 0)
    return [{ name: "ticket fields", ok: true, detail: `all ${wanted.length} exist` }];
  return [failed("ticket fields", `the account has no field ${missing.join(", ")}; correct the ids`)];
}

async function objectResult(
  api: ZendeskApi,
  { orders: { object } }: Config,
  signal: AbortSignal,
): Promise<readonly CheckResult[]> {
  if (object === undefined) return [];
  const path = `/api/v2/custom_objects/${object}`;
  const { status } = await api.send({ method: "GET", path, accept: [403, 404], signal });
  if (status === 200) return [{ name: "orders", ok: true, detail: `the custom object ${object} exists` }];
  return [
    failed("orders", `the custom object ${object} is not there or not to be read; check orders.object`),
  ];
}

async function hookResult(
  api: ZendeskApi,
  { webhookSecret }: Config,
  signal: AbortSignal,
): Promise<readonly CheckResult[]> {
  if (webhookSecret === undefined) return [];
  const answer = await api.send({ method: "GET", path: "/api/v2/webhooks", accept: [403], signal });
  const hooks = webhookList.safeParse(answer.body).data?.webhooks ?? [];
  const ours = hooks.filter(
    ({ endpoint, status }) => endpoint?.includes("/hooks/") === true && status === "active",
  );
  if (ours.length > 0) return [{ name: "webhook", ok: true, detail: `${ours.length} active` }];
  return [
    failed(
      "webhook",
      "no active webhook to /hooks/… is seen; make one in the Admin Center with the ticket events",
    ),
  ];
}
