import { expect, it } from "vitest";
import { AppError } from "../../src/sdk/index.ts";
import type { EffectReceipt } from "../../src/sdk/index.ts";
import type { GorgiasBench } from "../support/gorgias-bench.ts";
import { openGorgiasBench } from "../support/gorgias-bench.ts";
import type { Fault, FaultPlan } from "../support/vendor-faults.ts";
import { htmlPage, rateLimited, seededFaults, serverError } from "../support/vendor-faults.ts";

const lagMs = 30_000;

const faults: readonly Fault[] = [
  { kind: "drop", when: "before" },
  { kind: "drop", when: "after" },
  { kind: "truncate" },
  serverError("before"),
  serverError("after"),
  htmlPage("after"),
  rateLimited(3),
];

/** As the engine does it: again until it is done, the clock put forward by what the error asks for. */
async function untilDone(
  { clock }: GorgiasBench,
  attempt: () => Promise<EffectReceipt>,
): Promise<EffectReceipt> {
  for (let left = 200; ; left -= 1) {
    try {
      return await attempt();
    } catch (error) {
      const mayRepeat =
        error instanceof AppError && (error.retry === "retry" || error.retry === "retry_after");
      if (!mayRepeat || left === 0) throw error;
      clock.ms += error.retryAfterMs ?? 100;
    }
  }
}

it.each(["ada", "grace", "edsger", "barbara", "donald", "tony"])(
  "every effect is on Gorgias once, and in order, whatever happens to four writes of ten (seed %s)",
  async (seed) => {
    const dealt: Fault[] = [];
    const seeded = seededFaults(seed, 0.4, faults);
    const plan: FaultPlan = (call) => {
      const met = [seeded(call) ?? []].flat();
      dealt.push(...met);
      return met;
    };
    const bench = await openGorgiasBench({}, { plan });
    const { stub, run, open } = bench;
    stub.behaviour.listLagMs = lagMs - 1;
    const keys = ["fulfillment:1", "fulfillment:2", "fulfillment:3"];
    for (const key of keys) {
      const steps: readonly (readonly [string, (effect: string) => Promise<EffectReceipt>])[] = [
        ["opened", (effect) => open(effect, { key, message: effect, tags: ["late"] })],
        ["noted", (effect) => run("ticket.note", { key, message: effect }, effect)],
        ["repeated", (effect) => open(effect, { key, message: effect, tags: ["twice"] })],
        ["replied", (effect) => run("ticket.reply", { key, message: effect }, effect)],
        ["closed", (effect) => run("ticket.close", { key, message: effect }, effect)],
        ["reopened", (effect) => open(effect, { key, message: effect })],
      ];
      for (const [step, attempt] of steps) await untilDone(bench, () => attempt(`${key} ${step}`));
    }
    expect(dealt.length).toBeGreaterThan(8);
    const told = ["opened", "noted", "repeated", "replied", "closed", "reopened"];
    for (const key of keys) {
      const tickets = stub.ticketsWith(key);
      expect(tickets.map(({ status }) => status)).toEqual(["open"]);
      expect(tickets[0]?.messages.map(({ body_text }) => body_text)).toEqual(
        told.map((step) => `${key} ${step}`),
      );
      expect(tickets[0]?.tags.map(({ name }) => name)).toEqual(["late", "twice"]);
    }
    expect(stub.state.mails).toHaveLength(keys.length * 2);
    expect(stub.state.customers.size).toBe(1);
  },
);
