import { defineConnector } from "deskbridge/sdk";
import { createAdminApi } from "./admin-api.ts";
import { checkShop } from "./check.ts";
import { config } from "./config.ts";
import { createEnricher } from "./enrich.ts";
import { createOrderSource } from "./source-orders.ts";
import { createWebhook } from "./webhook.ts";

export default defineConnector({
  name: "shopify",
  description:
    "Shopify: orders, fulfillments, holds, refunds, returns and disputes by webhook and by polling.",
  config,
  open: (settings, context) => {
    const api = createAdminApi(settings, context);
    const reads =
      api === undefined
        ? {}
        : {
            enrich: createEnricher(api, settings, context.now),
            sources: { orders: createOrderSource(api, settings, context.now) },
          };
    return {
      webhook: createWebhook(settings),
      check: (signal) => checkShop(api, settings, signal),
      ...reads,
    };
  },
});
