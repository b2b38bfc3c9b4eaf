import { describe, expect, it } from "vitest";
import { carryOut, effectKey, refusalOf } from "../../src/effects/effects.ts";
import type { Desk } from "../../src/sdk/desk.ts";
import { failedFulfillment } from "../support/events.ts";

describe("an effect's key", () => {
  it("is the same for the same event, flow and place, and another for any other", () => {
    const event = failedFulfillment("e1", "1");
    const key = effectKey(event, "errors", 0);
    expect(effectKey(failedFulfillment("e1", "1"), "errors", 0)).toBe(key);
    const others = [
      effectKey(failedFulfillment("e2", "1"), "errors", 0),
      effectKey({ ...event, source: "outlet" }, "errors", 0),
      effectKey(event, "other", 0),
      effectKey(event, "errors", 1),
    ];
    expect(new Set([key, ...others]).size).toBe(5);
    expect(key).toMatch(/^[\w-]{43}$/);
  });
});

describe("a target", () => {
  const close = async () => ({ result: "updated", kind: "ticket" }) as const;

  it("without idempotency keys is refused rather than written to twice", async () => {
    const desk: Desk = { idempotency: { kind: "none" }, operations: { "ticket.close": close } };
    expect(refusalOf(desk, ["ticket.close"])).toMatch(/idempotency keys/);
    const call = { effectKey: "k", signal: new AbortController().signal };
    const operation = { name: "ticket.close", input: { key: "t" } } as const;
    await expect(carryOut(desk, operation, call)).rejects.toMatchObject({ code: "capability_missing" });
  });

  it("is asked only for what it offers", () => {
    const desk: Desk = {
      idempotency: { kind: "key", windowSeconds: 60 },
      operations: { "ticket.close": close },
    };
    expect(refusalOf(desk, ["ticket.close"])).toBeUndefined();
    expect(refusalOf(desk, ["ticket.close", "ticket.open"])).toMatch(/ticket\.open/);
  });
});
