import { expect, vi } from "vitest";
import { AppError } from "../../src/errors.ts";
import type { Flow } from "../../src/flows/flow.ts";
import type { Engine } from "../../src/jobs/engine.ts";
import { startWorker } from "../../src/jobs/worker.ts";
import type { PostgresLedger } from "../../src/ledger/postgres.ts";
import { createLedgerReader } from "../../src/ledger/reader.ts";
import type { Ring, RingOutcome } from "../../src/queue/queue.ts";
import type { EffectReceipt } from "../../src/sdk/desk.ts";
import type { RingCall } from "./engine.ts";
import { testEngine } from "./engine.ts";

/** A worker for a desk that keeps what it was told, on a real ledger. */
export interface DeskWorker {
  readonly engine: Engine;
  /** What was carried out, in order: `close <key>`, `note <key> <message>`. */
  readonly calls: string[];
  /** Rings that were asked for. */
  readonly rings: RingCall[];
  /** Hands a ring for these orders to the worker, waits until nothing but `left` deliveries is pending, and closes the worker. */
  readonly work: (orders: readonly string[], left?: number) => Promise<void>;
}

/**
 * Starts a worker for the target `desk`. The desk says that it knows keys and looks at none: our own record alone keeps an operation from being
 * carried out twice. It refuses the calls that `refuses` says.
 */
export async function startDeskWorker(
  ledger: PostgresLedger,
  flow: Flow,
  refuses: (call: string) => boolean = () => false,
): Promise<DeskWorker> {
  const calls: string[] = [];
  const does =
    (name: string) =>
    async (input: unknown): Promise<EffectReceipt> => {
      const { key, message = "" } = input as { key: string; message?: string };
      const call = `${name} ${key} ${message}`.trim();
      if (refuses(call)) throw new AppError("target_rejected", "no");
      calls.push(call);
      return { result: "updated", kind: "ticket", id: key };
    };
  let handler: ((ring: Ring, abort: AbortSignal) => Promise<RingOutcome>) | undefined;
  const operations = { "ticket.close": does("close"), "ticket.note": does("note") };
  const engine = testEngine({
    flows: [flow],
    connections: { desk: { desk: { idempotency: { kind: "key", windowSeconds: 3600 }, operations } } },
    ledger,
    queue: {
      work: async (_target, _concurrency, handle) => {
        handler = handle;
        return { close: async () => undefined };
      },
      depth: async () => ({ waiting: 0, active: 0, delayed: 0 }),
      flush: async () => undefined,
    },
  });
  const worker = await startWorker(engine, "desk", 4);
  const work = async (orders: readonly string[], left = 0): Promise<void> => {
    const lanes = orders.map((order) => `order/${order}`);
    await handler?.({ target: "desk", lanes, priority: "live" }, new AbortController().signal);
    const reader = createLedgerReader(ledger.pool);
    const pending = async (): Promise<number> => (await reader.counts()).deliveries.pending;
    await vi.waitFor(async () => expect(await pending()).toBe(left), { timeout: 10_000 });
    await worker.close(5000);
  };
  return { engine, calls, rings: engine.rings, work };
}
