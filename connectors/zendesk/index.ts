import { createTicketOperations, defineConnector } from "deskbridge/sdk";
import { createApi } from "./api.ts";
import { checkAccount } from "./check.ts";
import { callsByPlan, config } from "./config.ts";
import { createContacts } from "./contact.ts";
import { createDatasetSource } from "./datasets.ts";
import { createOrderPlaces } from "./order.ts";
import { createTicketSource } from "./source-tickets.ts";
import { createTicketActions } from "./ticket-actions.ts";
import { createWebhook } from "./webhook.ts";

export default defineConnector({
  name: "zendesk",
  description:
    "Zendesk Support: a desk for tickets, comments and contacts, and a source of what happens there.",
  config,
  open: (settings, context) => {
    const api = createApi(settings, context);
    const contacts = createContacts(api);
    const orders = createOrderPlaces(api, settings);
    const tickets = createTicketActions({ api, settings, contacts, orders });
    const { webhookSecret, webhookToleranceSeconds: toleranceSeconds } = settings;
    const hook =
      webhookSecret === undefined
        ? {}
        : {
            webhook: createWebhook({
              secrets: [webhookSecret].flat(),
              toleranceSeconds,
              address: api.address,
            }),
          };
    return {
      ...hook,
      desk: {
        idempotency: { kind: "lookup", lagSeconds: settings.lookupLagSeconds },
        operations: { ...createTicketOperations(tickets), ...contacts.operations, ...orders.operations },
      },
      datasets: createDatasetSource({ api, settings, now: context.now }),
      sources: { tickets: createTicketSource(api, context.now) },
      check: (signal) => checkAccount(api, settings, context.now, signal),
      rateLimit: { calls: callsByPlan[settings.plan], perSeconds: 60 },
    };
  },
});
