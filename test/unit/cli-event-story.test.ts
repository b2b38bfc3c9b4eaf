import { describe, expect, it } from "vitest";
import type { EventStory } from "../../src/cli/event-story.ts";
import { tellStory } from "../../src/cli/event-story.ts";
import { receiptText, storyText } from "../../src/cli/event-story-text.ts";
import { createPaint } from "../../src/cli/table.ts";
import { AppError } from "../../src/errors.ts";
import type { Flow } from "../../src/flows/flow.ts";
import { eventOf } from "../../src/ledger/reader.ts";
import type { AttemptRow, EventWay } from "../../src/ledger/reader.ts";
import type { Event } from "../../src/model/event.ts";
import { surroundings } from "../support/command.ts";
import { flowOf } from "../support/engine.ts";
import { failedFulfillment } from "../support/events.ts";

const plain = createPaint(surroundings());
const stored = failedFulfillment("e-1", "1001");

const attempt = (facts: Partial<AttemptRow>): AttemptRow => ({
  number: 1,
  startedAt: "2026-11-22T10:00:01.300Z",
  durationMs: 45,
  outcome: "done",
  code: null,
  message: null,
  receipts: [],
  config: null,
  operations: null,
  ...facts,
});

type Delivery = EventWay["deliveries"][number];

function wayOf(...deliveries: Partial<Delivery>[]): EventWay {
  return {
    event: {
      sequence: 42,
      connection: "shop",
      eventId: stored.id,
      type: stored.type,
      subject: stored.subject,
      happenedAt: stored.time,
      receivedAt: "2026-11-22T10:00:01.120Z",
      via: "webhook",
      data: stored.data,
      raw: { secret: "raw body" },
    },
    deliveries: deliveries.map((delivery) => ({
      id: 7,
      sequence: 42,
      flow: "errors",
      target: "desk",
      lane: "order/1001",
      priority: "live",
      status: "done",
      attempts: 1,
      dueAt: "2026-11-22T10:00:01.120Z",
      finishedAt: "2026-11-22T10:00:02.000Z",
      code: null,
      reason: null,
      holds: false,
      replayedAt: null,
      history: [],
      interventions: [],
      editedData: null,
      heldBy: null,
      ...delivery,
    })),
  };
}

function tell(
  way: EventWay,
  flows: readonly Flow[] | undefined,
  options: { readonly showData?: boolean; readonly event?: Event } = {},
): EventStory {
  const { showData = false, event = eventOf(way.event) } = options;
  return tellStory(way, { flows, event, enrichment: { kind: "none" }, showData });
}

const opensTicket = flowOf({
  map: (event) => [
    {
      name: "ticket.close",
      input: { key: event.subject, message: "the buyer is buyer1001@example.com" },
    },
  ],
});

describe("the way of an event", () => {
  it("tells how it came, each attempt with the target's answer, and the ticket", () => {
    const way = wayOf({
      history: [
        attempt({ outcome: "retry", code: "target_unavailable", message: "no answer" }),
        attempt({
          number: 2,
          startedAt: "2026-11-22T10:00:03.300Z",
          durationMs: 31,
          receipts: [
            {
              operation: "ticket.open",
              result: "created",
              kind: "ticket",
              id: "tkt_8",
              number: "1042",
              url: "https://desk.example/8",
            },
          ],
        }),
      ],
    });
    expect(storyText(tell(way, [opensTicket]), plain).split("\n")).toEqual([
      "e-1 fulfillment.failed about order/1001, from shop (number 42)",
      "",
      "  2026-11-22T10:00:00.000Z  happened, by its system's clock",
      "  2026-11-22T10:00:01.120Z  received as a webhook; its signature was verified before it was stored, 1.1 s later",
      "                            stored once: a copy with the same id is acknowledged and not stored again",
      "",
      "  errors  test.yaml:1:1  → desk  done",
      "    delivery 7, lane order/1001, live",
      "    2026-11-22T10:00:01.300Z  attempt 1, 45 ms: retry: target_unavailable: no answer",
      "    2026-11-22T10:00:03.300Z  attempt 2, 31 ms: done",
      "                                ticket.open: created ticket tkt_8 (#1042) https://desk.example/8",
      "    By the configuration as it is now:",
      "    when: passes",
      "    maps to",
      "      ticket.close",
      "        key: ••• (10 characters)",
      "        message: ••• (34 characters)",
    ]);
  });

  it("holds neither the event's data nor mapped values unless they are asked for", () => {
    const told = tell(wayOf({}), [opensTicket]);
    for (const text of [JSON.stringify(told), storyText(told, plain)]) {
      expect(text).not.toContain("@example.com");
      expect(text).not.toContain("raw body");
    }
    const shown = tell(wayOf({}), [opensTicket], { showData: true });
    expect(shown.event).toMatchObject({
      id: "e-1",
      source: "shop",
      data: stored.data,
      raw: { secret: "raw body" },
    });
    expect(storyText(shown, plain)).toContain("message: the buyer is buyer1001@example.com");
  });

  it("says why a flow was not matched, and when one came after the event", () => {
    const flows = [
      flowOf({ name: "other-shop", connections: ["store"] }),
      flowOf({ name: "holds", events: ["order.held"] }),
      flowOf({ name: "newcomer" }),
    ];
    const told = tell(wayOf(), flows);
    expect(told.flows.map(({ flow, matched }) => [flow, matched])).toEqual([
      ["other-shop", false],
      ["holds", false],
      ["newcomer", true],
    ]);
    const text = storyText(told, plain);
    expect(text).toContain("not matched: it listens to store; the event is from shop");
    expect(text).toContain("not matched: it takes order.held; the event is fulfillment.failed");
    expect(text).toMatch(/newcomer.*did not when this one came: it has no delivery/);
  });

  it("gives the reason of a `when` that is false", () => {
    const flow = flowOf({ when: () => ({ pass: false, reason: "`total > 5` is false" }) });
    const way = wayOf({
      status: "skipped",
      history: [attempt({ outcome: "skipped", message: "`total > 5` is false" })],
    });
    const text = storyText(tell(way, [flow]), plain);
    expect(text).toContain("attempt 1, 45 ms: skipped: `total > 5` is false");
    expect(text).toContain("when: does not pass, `total > 5` is false");
  });

  it("shows a mapping that fails, and says once that it still does", () => {
    const flow = flowOf({
      map: () => {
        throw new AppError("mapping_failed", "test.yaml:9:1 no such field");
      },
    });
    const dead = { status: "dead", code: "mapping_failed", reason: "test.yaml:9:1 no such field" } as const;
    const history = [attempt({ outcome: "dead", code: dead.code, message: dead.reason })];
    const same = storyText(tell(wayOf({ ...dead, history }), [flow]), plain);
    expect(same.match(/no such field/g)).toHaveLength(1);
    expect(same).toContain("The configuration as it is now fails in the same way.");
    const changed = storyText(tell(wayOf({ ...dead, reason: "another" }), [flow]), plain);
    expect(changed).toContain("mapping fails: mapping_failed: test.yaml:9:1 no such field");
  });

  it("tells of a delivery that was dead before its first attempt, and of one that waits", () => {
    const way = wayOf(
      { status: "dead", code: "mapping_failed", reason: "the lane maps to nothing" },
      { id: 8, flow: "slow", status: "pending", finishedAt: null, dueAt: "2026-11-22T10:05:00.000Z" },
    );
    const text = storyText(tell(way, []), plain);
    expect(text).toContain("dead before its first attempt: mapping_failed: the lane maps to nothing");
    expect(text).toContain("2026-11-22T10:05:00.000Z  due");
  });

  it("tells a flow that was removed from one that cannot be known", () => {
    const removed = tell(wayOf({}), []);
    expect(removed.flows[0]?.configured).toBe(false);
    expect(storyText(removed, plain)).toContain("This flow is not configured any more.");
    const unknown = tell(wayOf({}), undefined);
    expect(unknown.flows[0]?.configured).toBeNull();
    expect(storyText(unknown, plain)).not.toContain("not configured");
  });

  it("does not count an attempt that was put off", () => {
    const way = wayOf({
      status: "pending",
      attempts: 0,
      history: [attempt({ number: 0, outcome: "snooze", code: "target_rate_limited", message: "slow down" })],
    });
    expect(storyText(tell(way, [flowOf()]), plain)).toContain(
      "put off, 45 ms: snooze: target_rate_limited: slow down",
    );
  });

  it("says when the clocks differ, and takes control characters out of what vendors sent", () => {
    const way = wayOf({});
    const event = { ...way.event, happenedAt: "2026-11-22T10:00:05.000Z", subject: "order/\u001b[2J1" };
    const text = storyText(tell({ ...way, event }, undefined), plain);
    expect(text).toContain("3.9 s before it happened: the clocks differ");
    expect(text).not.toContain("\u001b");
  });
});

describe("a receipt", () => {
  it("says when the target knew the effect already", () => {
    const receipt = { operation: "ticket.open", result: "created", kind: "ticket", id: "1", replayed: true };
    expect(receiptText(receipt)).toBe("ticket.open: created ticket 1 (the target knew the effect already)");
  });
});
