import { AppError } from "deskbridge/sdk";
import type { CheckResult } from "deskbridge/sdk";
import { z } from "zod";
import type { GorgiasApi } from "./api.ts";
import type { Config } from "./config.ts";
import { integrationForm, triggers } from "./webhook.ts";

const integration = z.object({
  deactivated_datetime: z.string().nullish(),
  http: z
    .object({ url: z.string().nullish(), triggers: z.record(z.string(), z.boolean().nullish()).nullish() })
    .nullish(),
});

/** What is told of an account by `deskbridge doctor`: the credential, how much of the limit is used, the HTTP integrations. */
export async function checkAccount(
  settings: Config,
  api: GorgiasApi,
  connection: string,
  signal: AbortSignal,
): Promise<readonly CheckResult[]> {
  try {
    const { headers } = await api.request({ method: "GET", path: "/api/account", signal });
    const used = headers["x-gorgias-account-api-call-limit"];
    const credential = {
      name: "credential",
      ok: true,
      detail: `accepted by ${settings.account}${used === undefined ? "" : `; ${used.trim()} calls of the limit are used`}`,
    };
    return settings.webhook === undefined
      ? [credential]
      : [credential, await integrationResult(api, connection, signal)];
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return [{ name: "credential", ok: false, detail: `${error.message}; check account and auth` }];
  }
}

async function integrationResult(
  api: GorgiasApi,
  connection: string,
  signal: AbortSignal,
): Promise<CheckResult> {
  const list = {
    path: "/api/integrations",
    item: integration,
    what: "integrations",
    query: { type: "http" },
    signal,
  };
  const heard = new Set<string>();
  for await (const page of api.pages(list)) {
    for (const { http, deactivated_datetime: off } of page) {
      const [address = ""] = (http?.url ?? "").split("?");
      const isOurs = address.replace(/\/$/, "").endsWith(`/hooks/${connection}`);
      if (!isOurs || (off !== null && off !== undefined)) continue;
      for (const [trigger, isOn] of Object.entries(http?.triggers ?? {}))
        if (isOn === true) heard.add(trigger);
    }
  }
  const missing = triggers.filter((trigger) => !heard.has(trigger));
  if (missing.length === 0)
    return { name: "webhooks", ok: true, detail: `integrations for ${triggers.join(", ")}` };
  const [first = triggers[0]] = missing;
  return {
    name: "webhooks",
    ok: false,
    detail: `no active HTTP integration for ${missing.join(", ")}; POST one each to /api/integrations, such as ${JSON.stringify(integrationBody(first, connection))}`,
  };
}

/** What creates the HTTP integration of a trigger. */
export function integrationBody(trigger: (typeof triggers)[number], connection: string): unknown {
  return {
    name: `deskbridge ${trigger}`,
    type: "http",
    http: {
      url: `https://<address of deskbridge>/hooks/${connection}`,
      method: "POST",
      request_content_type: "application/json",
      response_content_type: "application/json",
      headers: { authorization: "Bearer <webhook secret>" },
      form: integrationForm(trigger),
      triggers: { [trigger]: true },
    },
  };
}
