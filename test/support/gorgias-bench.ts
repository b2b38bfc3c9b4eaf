import { onTestFinished } from "vitest";
import connector from "../../connectors/gorgias/index.ts";
import type { Connection, EffectReceipt, OperationInput, OperationName } from "../../src/sdk/index.ts";
import { createEffectMemory, createTestContext } from "../../src/sdk/testing/index.ts";
import { createEffectCall } from "../../src/sdk/write-once.ts";
import { openGorgiasStub } from "./gorgias-stub.ts";
import type { GorgiasExchange, GorgiasStub } from "./gorgias-stub.ts";
import { createFaultSwitch } from "./vendor-faults.ts";
import type { FaultPlan, FaultSwitch } from "./vendor-faults.ts";

type TicketOpen = OperationInput<"ticket.open">;

/** A connection to a stub's account, with a clock of the test's that the stub and the record of effects go by. */
export interface GorgiasBench {
  readonly stub: GorgiasStub;
  readonly faults: FaultSwitch;
  readonly connection: Connection;
  readonly clock: { ms: number };
  /** One try of an operation, as the engine makes it; what is on record stays for the next. */
  readonly run: <N extends OperationName>(
    name: N,
    input: OperationInput<N>,
    effectKey: string,
  ) => Promise<EffectReceipt>;
  readonly open: (effectKey: string, facts?: Partial<TicketOpen>) => Promise<EffectReceipt>;
  /** Calls made since this was last asked. */
  readonly calls: () => readonly string[];
  /** Forgets what is on record, as if the ledger had been lost. */
  readonly forget: () => void;
}

interface BenchOptions {
  readonly onExchange?: (exchange: GorgiasExchange) => void;
  /** What is to go wrong, in place of what `faults` says. */
  readonly plan?: FaultPlan;
}

/** Opens a bench for the running test, which closes it. */
export async function openGorgiasBench(
  settings: object = {},
  { onExchange = () => undefined, plan }: BenchOptions = {},
): Promise<GorgiasBench> {
  const clock = { ms: Date.parse("2026-11-22T10:00:00Z") };
  const faults = createFaultSwitch();
  const stub = await openGorgiasStub({ now: () => clock.ms, faults: plan ?? faults.plan, onExchange });
  const context = createTestContext({ connection: "desk", now: () => clock.ms });
  onTestFinished(async () => {
    context.close();
    await stub.close();
  });
  const config = connector.config.parse({
    account: "acme",
    auth: { method: "key", email: "agent@acme.example", apiKey: "key" },
    replyFrom: "help@acme.example",
    url: stub.url,
    ...settings,
  });
  const connection = await connector.open(config, context);
  const { idempotency, operations } = connection.desk!;
  let log = createEffectMemory(() => clock.ms);
  let told = 0;
  const run: GorgiasBench["run"] = async (name, input, effectKey) => {
    const { signal } = context;
    return operations[name]!(
      input,
      await createEffectCall({ effectKey, signal, idempotency, log: () => log }),
    );
  };
  return {
    stub,
    faults,
    connection,
    clock,
    run,
    open: (effectKey, facts = {}) => run("ticket.open", { ...opening, ...facts }, effectKey),
    calls: () => {
      const from = told;
      told = stub.calls.length;
      return stub.calls.slice(from);
    },
    forget: () => {
      log = createEffectMemory(() => clock.ms);
    },
  };
}

const opening: TicketOpen = {
  key: "fulfillment:1",
  requester: { email: "ada@example.com", name: "Ada" },
  subject: "Order #1001",
  message: "It failed.",
  visibility: "public",
  tags: [],
  orders: [],
  onClosed: "reopen",
};
