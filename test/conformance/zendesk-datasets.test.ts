import { expect, it } from "vitest";
import connector from "../../connectors/zendesk/index.ts";
import type { DatasetName } from "../../src/sdk/index.ts";
import { createTestContext, testDatasetSource } from "../../src/sdk/testing/index.ts";
import type { DatasetFixture } from "../../src/sdk/testing/index.ts";
import { readZendeskContract } from "../support/zendesk-contract.ts";
import type { ZendeskStub } from "../support/zendesk-stub.ts";
import { openZendeskStub } from "../support/zendesk-stub.ts";

type Part = Omit<DatasetFixture, "source" | "setNow" | "close">;

/** What is done to the rows of a dataset on the stub, whose clock is set before. */
type Act = (stub: ZendeskStub, at: (time: number) => void) => Part;

function ticketOf(stub: ZendeskStub, id: string) {
  const ticket = stub.tickets.find((one) => String(one.id) === id);
  if (ticket === undefined) throw new Error(`there is no ticket ${id}`);
  return ticket;
}

const tickets: Act = (stub, at) => ({
  create: (time) => {
    const facts = {
      subject: "Help",
      external_id: "order:1",
      tags: ["late"],
      comment: { body: "Hello", author_id: 7 },
    };
    const ticket = stub.agent.opens(facts, time);
    at(time);
    stub.agent.sets(ticket, facts);
    return String(ticket.id);
  },
  change: (id, time) => {
    at(time);
    const ticket = ticketOf(stub, id);
    ticket.rating = { score: "good", comment: "Thanks" };
    stub.agent.sets(ticket, { status: "solved", comment: { body: "Done", public: true } });
  },
  remove: (id, time) => {
    at(time);
    stub.agent.deletes(ticketOf(stub, id));
  },
});

const acts: Partial<Record<DatasetName, Act>> = {
  tickets,
  ticket_metrics: tickets,
  messages: (stub, at) => ({
    create: (time) => {
      const author = stub.setUser({ email: "grace@example.com", name: "Grace" }, 0);
      const ticket = stub.agent.opens({ subject: "Help" }, time);
      at(time);
      stub.agent.sets(ticket, { comment: { body: 'I said "no",\nthen.', author_id: author.id } });
      return String(ticket.comments[0]?.id);
    },
  }),
  contacts: (stub, at) => {
    let count = 0;
    const addressOf = (id: string): string => stub.users.find((user) => String(user.id) === id)?.email ?? "";
    return {
      create: (time) => {
        at(time);
        count += 1;
        return String(stub.setUser({ email: `ada-${count}@example.com`, phone: "+15551234567" }, time).id);
      },
      change: (id, time) => void stub.setUser({ email: addressOf(id), name: "Grace" }, time),
      remove: (id, time) => void stub.setUser({ email: addressOf(id), isDeleted: true }, time),
    };
  },
};

const contract = readZendeskContract();

for (const [dataset, act] of Object.entries(acts) as [DatasetName, Act][]) {
  testDatasetSource({
    name: "zendesk",
    dataset,
    open: async () => {
      let clock = 0;
      const now = (): number => clock;
      const stub = await openZendeskStub({ now, exportPage: 4, exportsPerMinute: 1000, contract });
      const context = createTestContext({ now });
      const settings = {
        subdomain: "acme",
        accessToken: "good",
        apiUrl: stub.url,
        customFields: { reason: 360_001 },
      };
      const { datasets } = await connector.open(connector.config.parse(settings), context);
      if (datasets === undefined) throw new Error("the connector gives no datasets");
      return {
        source: datasets,
        setNow: (time) => (clock = time),
        ...act(stub, (time) => (clock = time)),
        close: async () => {
          context.close();
          await stub.close();
          expect(stub.violations).toEqual([]);
        },
      };
    },
  });
}

it("every dataset of zendesk is held to the suite", async () => {
  const context = createTestContext();
  const settings = connector.config.parse({ subdomain: "acme", accessToken: "good" });
  const { datasets } = await connector.open(settings, context);
  expect(Object.keys(acts).toSorted()).toEqual([...(datasets?.datasets ?? [])].toSorted());
  context.close();
});
