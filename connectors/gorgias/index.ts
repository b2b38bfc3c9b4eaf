import { createTicketOperations, defineConnector } from "deskbridge/sdk";
import { createApi } from "./api.ts";
import { addressOf, config } from "./config.ts";
import { createContactOperation } from "./contact.ts";
import { createCustomers } from "./customer.ts";
import { createTicketActions } from "./desk.ts";

export default defineConnector({
  name: "gorgias",
  description: "Gorgias: tickets, messages and customers of a Gorgias account.",
  config,
  open: (settings, context) => {
    const api = createApi(settings, context);
    const customers = createCustomers(api);
    const { "ticket.reply": reply, ...tickets } = createTicketOperations(
      createTicketActions(settings, api, customers),
    );
    return {
      desk: {
        idempotency: { kind: "lookup", lagSeconds: settings.lookupLagSeconds },
        operations: {
          ...tickets,
          ...(settings.replyFrom === undefined ? {} : { "ticket.reply": reply }),
          "contact.upsert": createContactOperation(api, customers),
        },
      },
      rateLimit: {
        calls: settings.auth.method === "key" ? 40 : 80,
        perSeconds: settings.enterprise ? 10 : 20,
      },
    };
  },
});
