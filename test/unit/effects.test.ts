import { describe, expect, it, vi } from "vitest";
import type { EffectFacts } from "../../src/effects/effects.ts";
import { carryOut, effectKey, refusalOf } from "../../src/effects/effects.ts";
import { AppError } from "../../src/errors.ts";
import type { Operation } from "../../src/model/operation.ts";
import { currentCallContext, runWithCallContext } from "../../src/sdk/call-context.ts";
import type { Desk, EffectCall, EffectReceipt } from "../../src/sdk/desk.ts";
import type { EffectLog } from "../../src/sdk/effect-log.ts";
import { createEffectMemory } from "../../src/sdk/testing/index.ts";
import { noCrashPoint } from "../../src/telemetry/crash-point.ts";
import { failedFulfillment } from "../support/events.ts";

describe("an effect's key", () => {
  it("is the same for the same event, flow, place and operation, and another for any other", () => {
    const event = failedFulfillment("e1", "1");
    const key = effectKey(event, "errors", 0, "ticket.open");
    expect(effectKey(failedFulfillment("e1", "1"), "errors", 0, "ticket.open")).toBe(key);
    const others = [
      effectKey(failedFulfillment("e2", "1"), "errors", 0, "ticket.open"),
      effectKey({ ...event, source: "outlet" }, "errors", 0, "ticket.open"),
      effectKey(event, "other", 0, "ticket.open"),
      effectKey(event, "errors", 1, "ticket.open"),
      effectKey(event, "errors", 0, "ticket.close"),
    ];
    expect(new Set([key, ...others]).size).toBe(6);
    expect(key).toMatch(/^[\w-]{43}$/);
  });
});

const operation: Operation = { name: "ticket.close", input: { key: "t" } };
const receipt: EffectReceipt = { result: "updated", kind: "ticket", id: "tkt_1" };

function facts(log: EffectLog, more: Partial<EffectFacts> = {}): EffectFacts {
  return {
    effectKey: "k",
    signal: new AbortController().signal,
    log: () => log,
    keyForgotten: false,
    crashPoint: noCrashPoint,
    ...more,
  };
}

function deskOf(
  idempotency: Desk["idempotency"],
  close: (input: unknown, call: EffectCall) => Promise<EffectReceipt>,
): Desk {
  return { idempotency, operations: { "ticket.close": close } };
}

/** A desk whose one write is made once by the engine's record; `fail` is thrown by the next calls. */
function onceDesk(idempotency: Desk["idempotency"], fail: (AppError | undefined)[]) {
  const sent: string[] = [];
  const desk = deskOf(idempotency, async (_input, call) => {
    await call.once({
      step: "close",
      send: async () => {
        sent.push(call.effectKey);
        const error = fail.shift();
        if (error !== undefined) throw error;
        return { id: "tkt_1" };
      },
    });
    return receipt;
  });
  return { desk, sent };
}

describe("a target", () => {
  it("is asked only for what it offers", async () => {
    const desk = deskOf({ kind: "key", windowSeconds: 60 }, async () => receipt);
    expect(refusalOf(desk, ["ticket.close"])).toBeUndefined();
    expect(refusalOf(desk, ["ticket.close", "ticket.open"])).toMatch(/ticket\.open/);
    const other: Operation = { name: "ticket.note", input: { key: "t", message: "m" } };
    const refused = carryOut(desk, other, facts(createEffectMemory()));
    await expect(refused).rejects.toMatchObject({ code: "capability_missing" });
  });

  it("with idempotency keys is sent to without anything being noted", async () => {
    const { desk, sent } = onceDesk({ kind: "key", windowSeconds: 60 }, []);
    const log = (): EffectLog => {
      throw new Error("the record was asked for");
    };
    expect(await carryOut(desk, operation, facts(createEffectMemory(), { log }))).toEqual(receipt);
    expect(sent).toEqual(["k"]);
  });

  it("with neither keys nor lookup is written to at most once: an unknown outcome asks a person", async () => {
    const log = createEffectMemory();
    const lost = new AppError("target_unavailable", "the answer was lost");
    const { desk, sent } = onceDesk({ kind: "none" }, [lost]);
    for (let tries = 0; tries < 3; tries += 1) {
      const attempt = carryOut(desk, operation, facts(log));
      await expect(attempt).rejects.toMatchObject({ code: "effect_unknown", retry: "stop" });
    }
    expect(sent).toHaveLength(1);
    // The person looked: it was not done.
    await log.planned({ effectKey: "k", step: "close", tries: 1 });
    expect(await carryOut(desk, operation, facts(log))).toEqual(receipt);
    expect(sent).toHaveLength(2);
    await carryOut(desk, operation, facts(log));
    expect(sent).toHaveLength(2);
  });

  it("with neither is tried again after it refused, or was never reached", async () => {
    const refusals = [
      new AppError("target_rate_limited", "slow down"),
      new AppError("target_unavailable", "no connection", { details: { reason: "ECONNREFUSED" } }),
    ];
    const log = createEffectMemory();
    const { desk, sent } = onceDesk({ kind: "none" }, [...refusals]);
    for (const refusal of refusals) {
      await expect(carryOut(desk, operation, facts(log))).rejects.toBe(refusal);
    }
    expect(await carryOut(desk, operation, facts(log))).toEqual(receipt);
    expect(sent).toHaveLength(3);
  });

  it("that has forgotten the key by now is not sent to again before a person has looked", async () => {
    const log = createEffectMemory();
    const { desk, sent } = onceDesk({ kind: "key", windowSeconds: 60 }, []);
    const late = facts(log, { keyForgotten: true });
    for (let tries = 0; tries < 2; tries += 1) {
      await expect(carryOut(desk, operation, late)).rejects.toMatchObject({ code: "effect_unknown" });
    }
    expect(sent).toEqual([]);
    await log.planned({ effectKey: "k", step: "operation", tries: 1 });
    expect(await carryOut(desk, operation, late)).toEqual(receipt);
    expect(sent).toEqual(["k"]);
    expect(await carryOut(desk, operation, late)).toMatchObject({ result: "unchanged", replayed: true });
    expect(sent).toHaveLength(1);
  });

  it("is not sent to by a worker that was overtaken", async () => {
    const log: EffectLog = { ...createEffectMemory(), sent: async () => ({ kind: "lost" }) };
    const { desk, sent } = onceDesk({ kind: "lookup", lagSeconds: 1 }, []);
    await expect(carryOut(desk, operation, facts(log))).rejects.toMatchObject({ code: "lease_lost" });
    expect(sent).toEqual([]);
  });
});

describe("a call that waited for its turn", () => {
  const lookup = { kind: "lookup", lagSeconds: 1 } as const;

  /** A desk whose write waits, then checks as the HTTP client does before it writes the request. */
  function waitingDesk(waitMs: number, clock: { ms: number }) {
    return deskOf(lookup, async (_input, call) => {
      await call.once({
        step: "close",
        send: async () => {
          clock.ms += waitMs;
          await currentCallContext()?.beforeCall?.();
          return { id: "tkt_1" };
        },
        find: async () => [],
      });
      return receipt;
    });
  }

  it("notes its intent anew directly before it is made, so that a lookup reckons from there", async () => {
    const clock = { ms: 1000 };
    vi.spyOn(performance, "now").mockImplementation(() => clock.ms);
    const memory = createEffectMemory(() => clock.ms);
    const noted: number[] = [];
    const log: EffectLog = {
      ...memory,
      sent: async (intent) => {
        noted.push(clock.ms);
        return memory.sent(intent);
      },
    };
    await carryOut(waitingDesk(50_000, clock), operation, facts(log));
    await carryOut(waitingDesk(100, clock), operation, facts(log, { effectKey: "quick" }));
    vi.restoreAllMocks();
    expect(noted).toEqual([1000, 51_000, 51_000]);
    expect(await memory.read("k")).toMatchObject([{ state: "done", tries: 2 }]);
  });

  it("is not looked up before one that began as late as it may after its note can be seen", async () => {
    const clock = { ms: 0 };
    const log = createEffectMemory(() => clock.ms);
    // Noted by a process that was killed before or after its call, nobody knows.
    await log.sent({ effectKey: "k", step: "close", claimHoldsMs: 0 });
    clock.ms = 31_000;
    await expect(carryOut(waitingDesk(0, clock), operation, facts(log))).rejects.toMatchObject({
      code: "effect_pending",
      retryAfterMs: 2000,
    });
    clock.ms = 33_000;
    expect(await carryOut(waitingDesk(0, clock), operation, facts(log))).toEqual(receipt);
  });

  it("is not made when its lane was lost meanwhile", async () => {
    const log = createEffectMemory();
    const lost = new AppError("lease_lost", "taken over");
    const context = { priority: "live", beforeCall: async () => Promise.reject(lost) } as const;
    const attempt = runWithCallContext(context, () =>
      carryOut(waitingDesk(0, { ms: 0 }), operation, facts(log)),
    );
    await expect(attempt).rejects.toBe(lost);
    // What the worker that has the lane now finds on record is for it to judge.
    expect(await log.read("k")).toMatchObject([{ state: "sent" }]);
  });
});
