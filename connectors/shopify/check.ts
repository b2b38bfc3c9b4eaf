import { AppError } from "deskbridge/sdk";
import type { CheckResult } from "deskbridge/sdk";
import type { AdminApi } from "./admin-api.ts";
import type { Config } from "./config.ts";
import { topics } from "./topic.ts";
import { list, object, text } from "./value.ts";

export const checkQuery = /* GraphQL */ `
  query Check {
    shop {
      name
      myshopifyDomain
    }
    currentAppInstallation {
      accessScopes {
        handle
      }
    }
    publicApiVersions {
      handle
      supported
    }
    webhookSubscriptions(first: 100) {
      nodes {
        topic
        uri
      }
    }
  }
`;

/** Scopes that reading orders for tickets needs; of each line one is enough. */
const neededScopes: readonly (readonly string[])[] = [
  ["read_orders", "write_orders"],
  ["read_customers", "write_customers"],
  [
    "read_merchant_managed_fulfillment_orders",
    "read_third_party_fulfillment_orders",
    "read_assigned_fulfillment_orders",
    "write_merchant_managed_fulfillment_orders",
  ],
];

/** What is told of a shop by `deskbridge doctor`: the token, the shop behind it, the API version, scopes and hooks. */
export async function checkShop(
  api: AdminApi | undefined,
  settings: Config,
  signal: AbortSignal,
): Promise<readonly CheckResult[]> {
  if (api === undefined) {
    const detail =
      "no accessToken or clientId is configured: events are not completed with their customer and orders are not polled";
    return [{ name: "credential", ok: false, detail }];
  }
  try {
    const data = await api.query({ document: checkQuery, signal });
    return [
      shopResult(text(object(data["shop"])["myshopifyDomain"]), settings),
      versionResult(list(data["publicApiVersions"]).map(object), settings),
      scopeResult(list(object(data["currentAppInstallation"])["accessScopes"]).map(object)),
      hookResult(list(object(data["webhookSubscriptions"])["nodes"]).map(object)),
    ];
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return [
      { name: "credential", ok: false, detail: `${error.message} Check shop and accessToken or clientId.` },
    ];
  }
}

type Row = Readonly<Record<string, unknown>>;

function shopResult(domain: string | undefined, { shop }: Config): CheckResult {
  const ok = domain === shop;
  return {
    name: "credential",
    ok,
    detail: ok ? `accepted by ${shop}` : `belongs to ${domain}, but shop is ${shop}`,
  };
}

function versionResult(versions: readonly Row[], { apiVersion }: Config): CheckResult {
  const supported = versions
    .filter((one) => one["supported"] === true)
    .flatMap((one) => text(one["handle"]) ?? []);
  const ok = supported.includes(apiVersion);
  const detail = ok
    ? `${apiVersion} is supported`
    : `${apiVersion} is not supported any more or yet; use one of ${supported.join(", ")}`;
  return { name: "API version", ok, detail };
}

function scopeResult(scopes: readonly Row[]): CheckResult {
  const granted = new Set(scopes.map((one) => one["handle"]));
  const lacking = neededScopes.filter((choice) => !choice.some((scope) => granted.has(scope)));
  const ok = lacking.length === 0;
  const detail = ok
    ? "sufficient"
    : `add ${lacking.map(([first]) => first).join(", ")} to the app and install it again`;
  return { name: "scopes", ok, detail };
}

function hookResult(subscriptions: readonly Row[]): CheckResult {
  const subscribed = new Set(subscriptions.flatMap((one) => text(one["topic"]) ?? []));
  const ours = Object.keys(topics).filter((topic) =>
    subscribed.has(topic.replaceAll("/", "_").toUpperCase()),
  );
  const ok = ours.length > 0;
  const detail = ok
    ? `subscribed to ${ours.join(", ")}`
    : "no subscription made through the API is seen; those in the app's own configuration file are not listed here, so look there";
  return { name: "webhooks", ok, detail };
}
