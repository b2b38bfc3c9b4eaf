import { describe, expect, it } from "vitest";
import fc from "fast-check";
import type { Day, Step } from "../../demo/day/day.ts";
import { createDay } from "../../demo/day/day.ts";
import { impliedTally } from "../../demo/report/tally.ts";

const dayStart = Date.parse("2026-11-21T00:00:00Z");
const seeds = fc.integer({ min: 0, max: 1_000_000_000 });

const bodyOf = (step: Step): Record<string, unknown> => JSON.parse(step.body) as Record<string, unknown>;
const sound = (day: Day): readonly Step[] => day.steps.filter((step) => step.flaw === undefined);

function forAnyDay(check: (day: Day) => void): void {
  fc.assert(
    fc.property(seeds, (seed) => check(createDay(seed, dayStart))),
    { numRuns: 25 },
  );
}

describe("a day of the demo", () => {
  it("is the same for the same seed, and another for another", () => {
    expect(createDay(7, dayStart)).toEqual(createDay(7, dayStart));
    expect(createDay(8, dayStart).steps).not.toEqual(createDay(7, dayStart).steps);
  });

  it("has at least 200 events over 60 orders, whatever the seed", () => {
    forAnyDay((day) => {
      expect(day.orders).toHaveLength(60);
      expect(day.expected.accepted).toBeGreaterThanOrEqual(200);
      expect(new Set(sound(day).map((step) => step.eventId)).size).toBe(day.expected.accepted);
    });
  });

  it("sends repeats with the id and the body of an earlier request", () => {
    forAnyDay((day) => {
      const repeats = day.steps.filter((step) => step.isRepeat);
      expect(repeats).toHaveLength(day.expected.duplicates);
      for (const repeat of repeats) {
        const first = day.steps.find((step) => step.eventId === repeat.eventId);
        expect(first).toMatchObject({ body: repeat.body, topic: repeat.topic, isRepeat: false });
      }
    });
  });

  it("has two bad signatures and one body that is cut off, under ids of their own", () => {
    forAnyDay((day) => {
      const flawed = day.steps.filter((step) => step.flaw !== undefined);
      expect(flawed.map((step) => step.flaw).toSorted()).toEqual([
        "changed_on_the_way",
        "cut_off",
        "wrong_secret",
      ]);
      const others = new Set(sound(day).map((step) => step.eventId));
      expect(flawed.filter((step) => others.has(step.eventId))).toEqual([]);
      const cut = flawed.find((step) => step.flaw === "cut_off");
      expect(() => JSON.parse(cut?.body ?? "{}") as unknown).toThrow(SyntaxError);
    });
  });

  it("has failures, delays, holds, cancellations, updates and deliveries", () => {
    forAnyDay((day) => {
      const topics = new Set(sound(day).map((step) => step.topic));
      expect([...topics].toSorted()).toEqual([
        "fulfillment_events/create",
        "fulfillment_orders/placed_on_hold",
        "orders/cancelled",
        "orders/create",
        "orders/updated",
      ]);
      const reports = sound(day).filter((step) => step.topic === "fulfillment_events/create");
      const statuses = new Set(reports.map((step) => bodyOf(step)["status"]));
      expect([...statuses].toSorted()).toEqual(["delayed", "delivered", "failure"]);
    });
  });

  it("reports some fulfillments twice: their tickets get a second message, with another text", () => {
    forAnyDay((day) => {
      const twice = day.expected.tickets.filter((ticket) => ticket.messages.length > 1);
      expect(twice.length).toBeGreaterThanOrEqual(10);
      for (const { messages } of twice) expect(new Set(messages).size).toBe(messages.length);
      expect(impliedTally(day.expected).messagesAppended).toBe(twice.length);
    });
  });

  it("sends the newer state of some orders before the older, and a report before its order", () => {
    forAnyDay((day) => {
      const chains = Map.groupBy(sound(day), (step) => step.chain);
      const isSwapped = (steps: readonly Step[]): boolean => {
        const times = steps
          .filter((step) => step.topic === "orders/updated" && !step.isRepeat)
          .map((step) => Date.parse(String(bodyOf(step)["updated_at"])));
        return times.some((time, index) => index > 0 && time < (times[index - 1] ?? 0));
      };
      const overtaken = (steps: readonly Step[]): boolean => steps[0]?.topic === "fulfillment_events/create";
      expect([...chains.values()].filter(isSwapped)).toHaveLength(4);
      expect([...chains.values()].filter(overtaken)).toHaveLength(2);
    });
  });

  it("names the customer in no fulfillment event and no hold", () => {
    const day = createDay(1, dayStart);
    const bare = sound(day).filter((step) => step.topic.startsWith("fulfillment"));
    expect(bare.length).toBeGreaterThan(40);
    for (const { customer } of day.orders) {
      expect(bare.filter((step) => step.body.includes(customer.email))).toEqual([]);
      expect(bare.filter((step) => step.body.includes(customer.lastName))).toEqual([]);
    }
  });

  it("has ids that another seed's day does not have", () => {
    const idsOf = (seed: number) => createDay(seed, dayStart).orders.map((order) => order.id);
    expect(idsOf(1).filter((id) => idsOf(2).includes(id))).toEqual([]);
    expect(Math.max(...idsOf(1_000_000_000))).toBeLessThan(Number.MAX_SAFE_INTEGER);
  });

  it("uses addresses that nobody can have", () => {
    for (const { customer } of createDay(3, dayStart).orders) {
      expect(customer.email).toMatch(/^[a-z]+\.[a-z]+\.\d+@example\.com$/);
    }
  });
});
