import { AppError, defineConnector } from "deskbridge/sdk";
import type { CheckResult, HttpClient } from "deskbridge/sdk";
import { config } from "./config.ts";
import { createShipmentSource } from "./source-shipments.ts";
import { createWebhook } from "./webhook.ts";

export default defineConnector({
  name: "template",
  description: "An imaginary shop: the connector to copy.",
  config,
  open: (settings, context) => {
    const http = context.http({
      baseUrl: settings.baseUrl,
      headers: { authorization: `Bearer ${settings.apiKey}` },
    });
    return {
      webhook: createWebhook([settings.webhookSecret].flat()),
      sources: { shipments: createShipmentSource(http, context.now) },
      check: (signal) => checkKey(http, signal),
    };
  },
});

async function checkKey(http: HttpClient, signal: AbortSignal): Promise<readonly CheckResult[]> {
  try {
    await http.request({ method: "GET", path: "/shipments", query: { limit: 1 }, signal });
    return [{ name: "API key", ok: true, detail: "accepted" }];
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return [{ name: "API key", ok: false, detail: `${error.message}; check apiKey and baseUrl` }];
  }
}
