import { expect } from "vitest";
import connector from "../../connectors/zendesk/index.ts";
import type { Connection, EffectReceipt, OperationInput, OperationName } from "../../src/sdk/index.ts";
import { createEffectMemory, createTestContext } from "../../src/sdk/testing/index.ts";
import { createEffectCall } from "../../src/sdk/write-once.ts";
import type { ZendeskContract } from "./zendesk-contract.ts";
import { openZendeskStub } from "./zendesk-stub.ts";
import type { ZendeskStub } from "./zendesk-stub.ts";
import type { FaultSwitch } from "./vendor-faults.ts";
import { createFaultSwitch } from "./vendor-faults.ts";
import type { StubTicket } from "./zendesk-ticket.ts";

/** The connector on a stub of its own, with a record of effects whose clock only moves when it is put forward. */
export interface ZendeskBench {
  readonly stub: ZendeskStub;
  readonly faults: FaultSwitch;
  readonly connect: (settings?: object) => Promise<Connection>;
  /** Carries an operation out as a worker does, once. */
  readonly run: <N extends OperationName>(
    name: N,
    input: OperationInput<N>,
    effectKey: string,
    connection?: Connection,
  ) => Promise<EffectReceipt>;
  /** Puts the record's clock and the account's forward. */
  readonly wait: (seconds: number) => void;
  /** The only ticket there is. */
  readonly onlyTicket: () => StubTicket;
  readonly close: () => Promise<void>;
}

export async function openZendeskBench(
  settings: object = {},
  contract?: ZendeskContract,
): Promise<ZendeskBench> {
  let clock = Date.parse("2026-11-22T10:00:00Z");
  const now = (): number => clock;
  const faults = createFaultSwitch();
  const stub = await openZendeskStub({ now, faults: faults.plan, contract });
  const log = createEffectMemory(now);
  const context = createTestContext({ connection: "desk", now });
  const connect = async (own: object = {}): Promise<Connection> => {
    const given = { subdomain: "acme", accessToken: "good", apiUrl: stub.url, ...settings, ...own };
    return connector.open(connector.config.parse(given), context);
  };
  const usual = await connect();
  return {
    stub,
    faults,
    connect,
    run: async (name, input, effectKey, connection = usual) => {
      const { operations, idempotency } = connection.desk!;
      const { signal } = new AbortController();
      return operations[name]!(
        input,
        await createEffectCall({ effectKey, signal, idempotency, log: () => log }),
      );
    },
    wait: (seconds) => {
      clock += seconds * 1000;
    },
    onlyTicket: () => {
      expect(stub.tickets).toHaveLength(1);
      return stub.tickets[0]!;
    },
    close: async () => {
      context.close();
      await stub.close();
      expect(stub.violations).toEqual([]);
    },
  };
}

/** The input of a `ticket.open`. */
export function opening(facts: Partial<OperationInput<"ticket.open">> = {}): OperationInput<"ticket.open"> {
  return {
    key: "fulfillment:7",
    requester: { email: "ada@example.com", name: "Ada" },
    subject: "Order #1001",
    message: "The parcel could not be delivered.",
    visibility: "public",
    tags: [],
    orders: [],
    onClosed: "reopen",
    ...facts,
  };
}
