import connector from "../../connectors/gorgias/index.ts";
import type { TicketStatus } from "../../src/sdk/index.ts";
import { createTestContext, openDeskProxy, testDesk } from "../../src/sdk/testing/index.ts";
import type { DeskFixture } from "../../src/sdk/testing/index.ts";
import { openGorgiasStub } from "../support/gorgias-stub.ts";

const closed: readonly TicketStatus[] = ["solved", "closed"];

async function open(): Promise<DeskFixture> {
  const stub = await openGorgiasStub();
  const proxy = await openDeskProxy(stub.url);
  const context = createTestContext({ connection: "desk" });
  const config = connector.config.parse({
    account: "acme",
    auth: { method: "key", email: "agent@acme.example", apiKey: "key" },
    replyFrom: "help@acme.example",
    url: proxy.url,
  });
  const { desk } = await connector.open(config, context);
  return {
    desk: desk!,
    proxy,
    // A follow-up takes the key over.
    ticket: async (key) => {
      const ticket = stub.ticketsWith(key).at(-1);
      if (ticket === undefined) return undefined;
      const meta = ticket.meta as { deskbridge?: { orders?: { id: string }[] } } | null;
      return {
        id: String(ticket.id),
        subject: ticket.subject ?? "",
        status: ticket.status,
        priority: ticket.priority === "critical" ? "urgent" : ticket.priority,
        tags: ticket.tags.map(({ name }) => name),
        orders: (meta?.deskbridge?.orders ?? []).map(({ id }) => id),
        requesterEmail: ticket.customer.email ?? undefined,
        messages: ticket.messages.map((one) => ({
          text: one.body_text,
          visibility: one.public ? "public" : "internal",
        })),
      };
    },
    statusOf: (status) => (closed.includes(status) ? "closed" : "open"),
    countTickets: async (subject) =>
      [...stub.state.tickets.values()].filter((one) => one.subject === subject).length,
    countContacts: async (email) =>
      [...stub.state.customers.values()].filter((one) => one.email === email).length,
    close: async () => {
      context.close();
      await proxy.close();
      await stub.close();
    },
  };
}

testDesk({
  name: "gorgias",
  idempotency: "lookup",
  open,
  without: {
    "order.upsert": "Gorgias fetches orders itself",
    "order.link": "Gorgias fetches orders itself",
  },
});
