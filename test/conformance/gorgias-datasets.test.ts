import { expect, it } from "vitest";
import connector from "../../connectors/gorgias/index.ts";
import type { DatasetName } from "../../src/sdk/index.ts";
import { createTestContext, testDatasetSource } from "../../src/sdk/testing/index.ts";
import type { DatasetFixture } from "../../src/sdk/testing/index.ts";
import { createCustomer } from "../support/gorgias-customers.ts";
import type { GorgiasStub } from "../support/gorgias-stub.ts";
import { openGorgiasStub } from "../support/gorgias-stub.ts";

type Part = Omit<DatasetFixture, "source" | "setNow" | "close">;

/** What is done to the rows of a dataset on the stub, whose clock `at` sets. */
type Act = (stub: GorgiasStub, at: (time: number) => void) => Part;

const settings = { account: "acme", auth: { method: "key", email: "kim@example.com", apiKey: "key" } };

const acts: Partial<Record<DatasetName, Act>> = {
  tickets: ({ state, addTicket }) => {
    const change = (id: string, time: number, facts: object): void => {
      const ticket = state.tickets.get(Number(id));
      if (ticket !== undefined) Object.assign(ticket, facts, { updated_datetime: state.timestamp(time) });
    };
    return {
      create: (time) => String(addTicket({ at: time, subject: "Help", tags: [{ name: "late" }] }).id),
      change: (id, time) =>
        change(id, time, {
          status: "closed",
          closed_datetime: state.timestamp(time),
          external_id: "order:1",
        }),
      remove: (id, time) => change(id, time, { trashed_datetime: state.timestamp(time) }),
    };
  },
  messages: ({ state, addTicket }) => ({
    create: (time) => {
      const message = {
        id: state.newId(),
        external_id: null,
        channel: "email",
        public: true,
        from_agent: false,
        body_text: 'I said "no",\nthen.',
        created_datetime: state.timestamp(time),
        shownAt: time,
      };
      addTicket({ at: time, messages: [message] });
      return String(message.id);
    },
  }),
  contacts: ({ state }, at) => {
    let count = 0;
    return {
      create: (time) => {
        at(time);
        count += 1;
        const channels = [{ type: "phone", address: "+15551234567" }];
        return String(createCustomer(state, { email: `ada-${count}@example.com`, channels }).id);
      },
      change: (id, time) => {
        const customer = state.customers.get(Number(id));
        if (customer !== undefined)
          Object.assign(customer, { name: "Ada", updated_datetime: state.timestamp(time) });
      },
    };
  },
};

for (const [dataset, act] of Object.entries(acts) as [DatasetName, Act][]) {
  testDatasetSource({
    name: "gorgias",
    dataset,
    open: async () => {
      let clock = 0;
      const now = (): number => clock;
      const stub = await openGorgiasStub({ now, pageSize: 4 });
      const context = createTestContext({ now });
      const { datasets } = await connector.open(
        connector.config.parse({ ...settings, url: stub.url }),
        context,
      );
      if (datasets === undefined) throw new Error("the connector gives no datasets");
      return {
        source: datasets,
        setNow: (time) => (clock = time),
        ...act(stub, (time) => (clock = time)),
        close: async () => {
          context.close();
          await stub.close();
        },
      };
    },
  });
}

it("every dataset of gorgias is held to the suite", async () => {
  const context = createTestContext();
  const { datasets } = await connector.open(connector.config.parse(settings), context);
  expect(Object.keys(acts).toSorted()).toEqual([...(datasets?.datasets ?? [])].toSorted());
  context.close();
});
