import { createTicketOperations, defineConnector } from "deskbridge/sdk";
import { createApi } from "./api.ts";
import { checkAccount } from "./check.ts";
import { addressOf, config } from "./config.ts";
import { createContactOperation } from "./contact.ts";
import { createCustomers } from "./customer.ts";
import { createDatasetSource } from "./datasets.ts";
import { createTicketActions } from "./ticket-actions.ts";
import { createTicketSource } from "./source-tickets.ts";
import { createWebhook } from "./webhook.ts";

export default defineConnector({
  name: "gorgias",
  description: "Gorgias: a desk for tickets, messages and customers, and what happens to its tickets.",
  config,
  open: (settings, context) => {
    const api = createApi(settings, context);
    const customers = createCustomers(api);
    const { "ticket.reply": reply, ...tickets } = createTicketOperations(
      createTicketActions(settings, api, customers),
    );
    const { webhook } = settings;
    return {
      desk: {
        idempotency: { kind: "lookup", lagSeconds: settings.lookupLagSeconds },
        operations: {
          ...tickets,
          ...(settings.replyFrom === undefined ? {} : { "ticket.reply": reply }),
          "contact.upsert": createContactOperation(api, customers),
        },
      },
      ...(webhook === undefined ? {} : { webhook: createWebhook(settings, webhook) }),
      datasets: createDatasetSource({ api, settings, now: context.now }),
      sources: { tickets: createTicketSource(settings, api, context.now) },
      rateLimit: {
        calls: settings.auth.method === "key" ? 40 : 80,
        perSeconds: settings.enterprise ? 10 : 20,
        account: addressOf(settings),
      },
      check: (signal) => checkAccount(settings, api, context.connection, signal),
    };
  },
});
