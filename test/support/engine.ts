import type { Logger } from "pino";
import { pino } from "pino";
import type { Config, ExportConfig } from "../../src/config/config.ts";
import type { Flow } from "../../src/flows/flow.ts";
import type { Engine, OpenConnection } from "../../src/jobs/engine.ts";
import type { Ledger } from "../../src/ledger/ledger.ts";
import type { Budget } from "../../src/queue/budget.ts";
import type { Queue, RingOptions } from "../../src/queue/queue.ts";
import type { Connection } from "../../src/sdk/connector.ts";
import { noCrashPoint } from "../../src/telemetry/crash-point.ts";
import { createMetrics } from "../../src/telemetry/metrics.ts";

/** A ring that the engine under test asked for. */
export interface RingCall {
  readonly target: string;
  readonly lanes: readonly string[];
  readonly options: RingOptions;
}

/** A flow that opens a ticket for every event of the connection `shop`, with parts replaced. */
export function flowOf(facts: Partial<Flow> = {}): Flow {
  return {
    name: "errors",
    position: { file: "test.yaml", line: 1, column: 1 },
    connections: ["shop"],
    events: ["fulfillment.failed"],
    target: "desk",
    lane: (event) => event.subject,
    when: () => ({ pass: true }),
    map: (event) => [{ name: "ticket.close", input: { key: event.subject } }],
    ...facts,
  };
}

/** An engine around the parts that a test is about. What it does not give throws when it is used. */
export function testEngine(parts: {
  readonly connections?: Readonly<Record<string, Connection>>;
  readonly flows?: readonly Flow[];
  readonly exports?: readonly ExportConfig[];
  readonly ledger?: Partial<Ledger>;
  readonly queue?: Partial<Queue>;
  readonly now?: () => number;
  readonly logger?: Logger;
}): Engine & { readonly rings: RingCall[] } {
  const flows = parts.flows ?? [flowOf()];
  const rings: RingCall[] = [];
  const connections = new Map<string, OpenConnection>();
  for (const [name, connection] of Object.entries(parts.connections ?? {})) {
    const config = { name, use: "test", settings: {}, poll: undefined, rateLimit: undefined, concurrency: 4 };
    connections.set(name, { config, connection });
  }
  const config = {
    flows,
    connections: new Map(),
    exports: parts.exports ?? [],
    version: "test",
    secrets: ["hush-hush"],
  } as unknown as Config;
  const queue = {
    ring: (target, lanes, options = {}) => void rings.push({ target, lanes, options }),
    ...parts.queue,
  } as Queue;
  const budget: Budget = {
    setLimit: () => undefined,
    gate: () => ({ take: async () => undefined, giveBack: () => undefined, learn: () => undefined }),
    usage: async () => undefined,
    inUse: async () => [],
    close: async () => undefined,
  };
  return {
    rings,
    ledger: (parts.ledger ?? {}) as Ledger,
    queue,
    budget,
    metrics: createMetrics(),
    logger: parts.logger ?? pino({ level: "silent" }),
    setup: () => ({ config, connections, flows: new Map(flows.map((flow) => [flow.name, flow])) }),
    now: parts.now ?? Date.now,
    random: () => 0.5,
    crashPoint: noCrashPoint,
  };
}
