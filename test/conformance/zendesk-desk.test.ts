import { afterAll, beforeAll, expect } from "vitest";
import connector from "../../connectors/zendesk/index.ts";
import type { DeskFixture, DeskProxy } from "../../src/sdk/testing/index.ts";
import { createTestContext, openDeskProxy, testDesk } from "../../src/sdk/testing/index.ts";
import { toCanonicalStatus } from "../../connectors/zendesk/ticket.ts";
import { readZendeskContract } from "../support/zendesk-contract.ts";
import { openZendeskStub } from "../support/zendesk-stub.ts";
import type { ZendeskStub } from "../support/zendesk-stub.ts";

const contract = readZendeskContract();
let stub: ZendeskStub;
let proxy: DeskProxy;

beforeAll(async () => {
  stub = await openZendeskStub({ contract });
  proxy = await openDeskProxy(stub.url);
});

afterAll(async () => {
  await proxy.close();
  await stub.close();
  expect(new Set(stub.violations)).toEqual(new Set());
  if (contract !== undefined) expect(contract.compared()).toBeGreaterThan(200);
});

const orders = {
  object: "order",
  fields: { status: "status", total: "total", updatedAt: "changed_at" },
  field: 360002,
};

async function open(): Promise<DeskFixture> {
  const context = createTestContext({ connection: "desk" });
  const settings = { subdomain: "acme", accessToken: "good", apiUrl: proxy.url, orders };
  const connection = await connector.open(connector.config.parse(settings), context);
  return {
    desk: connection.desk!,
    proxy,
    ticket: async (key) => {
      const ticket = stub.tickets.findLast((one) => one.externalId === key && one.isDeleted !== true);
      if (ticket === undefined) return undefined;
      const { id, subject, priority = "normal", tags, status, comments, fields, requesterId } = ticket;
      const listed = fields.get(orders.field);
      return {
        id: String(id),
        subject,
        priority,
        tags,
        status: toCanonicalStatus(status) ?? status,
        orders: typeof listed === "string" ? listed.split(", ").map((one) => one.replace(/^shop:/, "")) : [],
        requesterEmail: stub.users.find((user) => user.id === requesterId)?.email,
        messages: comments.map(({ body, public: isPublic }) => ({
          text: body,
          visibility: isPublic ? "public" : "internal",
        })),
      };
    },
    countTickets: async (subject) => stub.tickets.filter((one) => one.subject === subject).length,
    countContacts: async (email) => stub.users.filter((user) => user.email === email).length,
    close: async () => context.close(),
  };
}

testDesk({ name: "the zendesk connector", idempotency: "lookup", open });
