import { describe, expect, it } from "vitest";
import { AppError } from "../../src/errors.ts";
import type { ErrorCode } from "../../src/errors.ts";
import type { Attempted } from "../../src/jobs/attempt.ts";
import { attemptDelivery } from "../../src/jobs/attempt.ts";
import { maxAttempts } from "../../src/jobs/backoff.ts";
import type { Mail, StoredReceipt } from "../../src/ledger/ledger.ts";
import type { Connection } from "../../src/sdk/connector.ts";
import type { EffectCall, EffectReceipt } from "../../src/sdk/desk.ts";
import { flowOf, testEngine } from "../support/engine.ts";
import { failedFulfillment } from "../support/events.ts";

const receipt: EffectReceipt = { result: "updated", kind: "ticket", id: "tkt_1" };

function deskThat(close: (input: unknown, call: EffectCall) => Promise<EffectReceipt>): Connection {
  return {
    desk: { idempotency: { kind: "key", windowSeconds: 3600 }, operations: { "ticket.close": close } },
  };
}

function mailOf(attempts = 0): Mail {
  return {
    delivery: 7,
    sequence: 3,
    flow: "errors",
    attempts,
    again: attempts > 0,
    event: failedFulfillment("e1", "1"),
    receivedAt: Date.now(),
  };
}

async function attemptWith(
  desk: Connection,
  options: {
    attempts?: number;
    onRecord?: readonly StoredReceipt[];
    flow?: ReturnType<typeof flowOf>;
    shop?: Connection;
    signal?: AbortSignal;
    leaving?: AbortSignal;
  } = {},
): Promise<Attempted> {
  const connections = { desk, ...(options.shop === undefined ? {} : { shop: options.shop }) };
  const engine = testEngine({
    connections,
    ledger: { receipts: async () => options.onRecord ?? [] },
    ...(options.flow === undefined ? {} : { flows: [options.flow] }),
  });
  const signal = options.signal ?? new AbortController().signal;
  return attemptDelivery(mailOf(options.attempts), {
    engine,
    target: "desk",
    signal,
    leaving: options.leaving ?? new AbortController().signal,
    ...laneFacts,
    holdLease: async () => undefined,
  });
}

const laneFacts = {
  priority: "live",
  lease: () => ({ target: "desk", lane: "order/1", fence: 1, expiresAt: Infinity, isCertain: () => true }),
} as const;

function failing(code: ErrorCode, retryAfterMs?: number): Connection {
  return deskThat(async () => {
    throw new AppError(code, "no", retryAfterMs === undefined ? {} : { retryAfterMs });
  });
}

describe("an attempt", () => {
  it("that goes well is done, with the target's receipts on record and one key for every try", async () => {
    const keys: string[] = [];
    const desk = deskThat(async (_input, call) => {
      keys.push(call.effectKey);
      return receipt;
    });
    const first = await attemptWith(desk);
    await attemptWith(desk, { attempts: 3 });
    expect(first.settlement).toMatchObject({ delivery: 7, status: "done", counts: true });
    expect(first.settlement.attempt.receipts).toEqual([{ index: 0, operation: "ticket.close", ...receipt }]);
    expect(first.health).toBe("well");
    expect(new Set(keys).size).toBe(1);
  });

  it("whose condition says no is skipped with the reason and sends nothing", async () => {
    const flow = flowOf({ when: () => ({ pass: false, reason: "when is false" }) });
    const { settlement } = await attemptWith(failing("internal"), { flow });
    expect(settlement).toMatchObject({
      status: "skipped",
      attempt: { message: "when is false", receipts: [] },
    });
  });

  it("whose mapping fails is dead at once and sends nothing", async () => {
    const flow = flowOf({
      map: () => {
        throw new AppError("mapping_failed", "flows.yaml:3:4 event.data.customer is absent");
      },
    });
    const { settlement, pause } = await attemptWith(failing("internal"), { flow });
    expect(settlement).toMatchObject({ status: "dead", attempt: { code: "mapping_failed" } });
    expect(pause).toBeUndefined();
  });

  it.each([
    ["target_unavailable", 500],
    ["target_timeout", 500],
    ["target_protocol", 500],
    ["target_conflict", 500],
    ["internal", 500],
  ] as const)("that meets %s is tried again after a pause, and counts", async (code, dueInMs) => {
    const { settlement, pause } = await attemptWith(failing(code));
    expect(settlement).toMatchObject({
      status: "pending",
      counts: true,
      dueInMs,
      attempt: { outcome: "retry", code },
    });
    expect(pause).toBeUndefined();
  });

  it("waits at least as long as the target asked where it asked on an error that is retried", async () => {
    const { settlement } = await attemptWith(failing("target_unavailable", 120_000));
    expect(settlement.dueInMs).toBe(120_000);
  });

  it.each(["target_rejected", "target_not_found", "operation_invalid"] as const)(
    "that meets %s is dead",
    async (code) => {
      const { settlement } = await attemptWith(failing(code));
      expect(settlement).toMatchObject({ status: "dead", attempt: { outcome: "dead", code, message: "no" } });
    },
  );

  it("that was one too many is dead", async () => {
    const { settlement } = await attemptWith(failing("target_unavailable"), { attempts: maxAttempts - 1 });
    expect(settlement.status).toBe("dead");
  });

  it("that is told to slow down costs nothing and pauses the target for as long as it said", async () => {
    const { settlement, pause } = await attemptWith(failing("target_rate_limited", 17_000));
    expect(settlement).toMatchObject({
      status: "pending",
      counts: false,
      dueInMs: 17_000,
      attempt: { outcome: "snooze" },
    });
    expect(pause?.forMs).toBe(17_000);
  });

  it("that is told to slow down without a time waits five seconds", async () => {
    const { pause } = await attemptWith(failing("target_rate_limited"));
    expect(pause?.forMs).toBe(5000);
  });

  it("whose credential is refused costs nothing and pauses the target for a minute", async () => {
    const { settlement, pause } = await attemptWith(failing("target_unauthorized"));
    expect(settlement).toMatchObject({ status: "pending", counts: false, dueInMs: 60_000 });
    expect(pause?.forMs).toBe(60_000);
  });

  it("whose event's own system is told to slow down waits, but does not pause the target", async () => {
    const shop: Connection = {
      enrich: async () => {
        throw new AppError("target_rate_limited", "throttled", { retryAfterMs: 2000 });
      },
    };
    const { settlement, pause } = await attemptWith(
      deskThat(async () => receipt),
      { shop },
    );
    expect(settlement).toMatchObject({ status: "pending", counts: false, dueInMs: 2000 });
    expect(pause).toBeUndefined();
  });

  it("maps the event as the enricher returned it", async () => {
    const shop: Connection = { enrich: async (event) => ({ ...event, subject: "enriched" }) };
    const seen: unknown[] = [];
    const desk = deskThat(async (input) => {
      seen.push(input);
      return receipt;
    });
    await attemptWith(desk, { shop });
    expect(seen).toEqual([{ key: "enriched" }]);
  });

  it("that our own shutdown cuts off is due again at once and costs nothing", async () => {
    const abort = new AbortController();
    const desk = deskThat(async () => {
      abort.abort();
      throw new AppError("target_unavailable", "cut off");
    });
    const { settlement, pause } = await attemptWith(desk, { signal: abort.signal });
    expect(settlement).toMatchObject({ status: "pending", counts: false, dueInMs: 0 });
    expect(pause).toBeUndefined();
  });

  it("does not send again what an earlier try is on record as having done", async () => {
    const keys: string[] = [];
    const desk = deskThat(async (input) => {
      keys.push((input as { key: string }).key);
      return receipt;
    });
    const flow = flowOf({
      map: () => ["one", "two", "three"].map((key) => ({ name: "ticket.close", input: { key } })),
    });
    const onRecord = [
      { index: 0, operation: "ticket.close", result: "updated", kind: "ticket", id: "tkt_9" },
      // The mapping had another operation at this place.
      { index: 1, operation: "ticket.note", result: "appended", kind: "message" },
    ];
    const { settlement } = await attemptWith(desk, { attempts: 1, onRecord, flow });
    expect(keys).toEqual(["two", "three"]);
    expect(settlement.attempt.receipts).toEqual([
      { ...onRecord[0], replayed: true },
      { index: 1, operation: "ticket.close", ...receipt },
      { index: 2, operation: "ticket.close", ...receipt },
    ]);
    const nothingNew = await attemptWith(desk, { attempts: 1, onRecord: settlement.attempt.receipts, flow });
    expect(nothingNew.health).toBe("unknown");
    expect(keys).toHaveLength(2);
  });

  it("waits for an effect that cannot be told yet without pausing the target for others", async () => {
    const { settlement, pause, health } = await attemptWith(failing("effect_pending", 4000));
    expect(settlement).toMatchObject({ status: "pending", counts: false, dueInMs: 4000 });
    expect([pause, health]).toEqual([undefined, "unknown"]);
  });

  it("tells with which configuration it was made and, when it is dead, what it mapped to and whether it holds its lane", async () => {
    const { settlement } = await attemptWith(failing("target_rejected"), {
      flow: flowOf({ onDead: "hold" }),
    });
    expect(settlement).toMatchObject({
      status: "dead",
      hold: true,
      attempt: { config: "test", operations: [{ name: "ticket.close", input: { key: "order/1" } }] },
    });
    const secret = flowOf({
      map: () => [{ name: "ticket.note", input: { key: "k", message: "say hush-hush" } }],
    });
    const kept = await attemptWith(failing("target_rejected"), { flow: secret });
    expect(JSON.stringify(kept.settlement.attempt.operations)).not.toContain("hush-hush");
    const skips = await attemptWith(failing("target_rejected"), { flow: flowOf({ onDead: "skip" }) });
    expect(skips.settlement).not.toHaveProperty("hold");
  });

  it.each([
    ["target_unavailable", "failing"],
    ["target_timeout", "failing"],
    ["target_protocol", "failing"],
    ["target_rejected", "well"],
    ["target_rate_limited", "unknown"],
    ["target_unauthorized", "unknown"],
  ] as const)("that meets %s finds the target %s", async (code, health) => {
    expect((await attemptWith(failing(code))).health).toBe(health);
  });

  it("of a flow that is gone is dead, and says so", async () => {
    const { settlement } = await attemptWith(failing("internal"), { flow: flowOf({ name: "another" }) });
    expect(settlement).toMatchObject({ status: "dead", attempt: { code: "flow_removed" } });
  });

  it("gets out when the lane was lost, so that nothing is recorded", async () => {
    const engine = testEngine({ connections: { desk: deskThat(async () => receipt) } });
    const holdLease = async (): Promise<void> => {
      throw new AppError("lease_lost", "taken over");
    };
    const { signal } = new AbortController();
    const context = { engine, target: "desk", signal, leaving: signal, ...laneFacts, holdLease };
    await expect(attemptDelivery(mailOf(), context)).rejects.toMatchObject({ code: "lease_lost" });
  });
});
