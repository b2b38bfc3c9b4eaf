import { describe, expect, it } from "vitest";
import { metricCatalogue } from "../../src/telemetry/metric-catalogue.ts";
import type { SupportDay } from "../../src/telemetry/metrics.ts";
import { createMetrics } from "../../src/telemetry/metrics.ts";

async function samples(metrics: { readonly render: () => Promise<string> }): Promise<string[]> {
  return (await metrics.render()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
}

describe("the metrics", () => {
  it("expose every row of the catalogue, under its name, kind and help", async () => {
    const text = await createMetrics().render();
    for (const [name, { kind, help }] of Object.entries(metricCatalogue)) {
      expect(text).toContain(`# HELP ${name} ${help}\n# TYPE ${name} ${kind}\n`);
    }
    expect(text.match(/^# TYPE /gm)).toHaveLength(Object.keys(metricCatalogue).length);
  });

  it("count what happens under its labels", async () => {
    const metrics = createMetrics();
    metrics.event("shop", "order.created", "accepted");
    metrics.event("shop", "order.created", "accepted");
    metrics.rings("desk", "failed");
    metrics.rings("desk", "sent", 3);
    metrics.swept(4);
    metrics.poll("shop", "orders", "ok");
    metrics.lanesLeased("desk", 5);
    metrics.lanesLeased("desk", -2);
    expect(await samples(metrics)).toEqual(
      expect.arrayContaining([
        'deskbridge_events_total{connection="shop",type="order.created",outcome="accepted"} 2',
        'deskbridge_rings_total{target="desk",outcome="failed"} 1',
        'deskbridge_rings_total{target="desk",outcome="sent"} 3',
        "deskbridge_sweeper_lanes_total 4",
        'deskbridge_polls_total{connection="shop",source="orders",outcome="ok"} 1',
        'deskbridge_lanes_leased{target="desk"} 3',
      ]),
    );
  });

  it("record the lag of a delivery once, when it is over", async () => {
    const metrics = createMetrics();
    metrics.delivery("desk", "a-flow", "retry", 100);
    metrics.delivery("desk", "a-flow", "snooze", 200);
    metrics.delivery("desk", "a-flow", "done", 300);
    const lines = await samples(metrics);
    expect(lines).toContain('deskbridge_delivery_lag_seconds_count{target="desk"} 1');
    expect(lines).toContain('deskbridge_delivery_lag_seconds_sum{target="desk"} 0.3');
    expect(lines).toContain('deskbridge_deliveries_total{target="desk",flow="a-flow",outcome="retry"} 1');
  });

  it("take a lag before zero, or none at all, as zero", async () => {
    const metrics = createMetrics();
    metrics.delivery("desk", "a-flow", "done", -50);
    metrics.delivery("desk", "a-flow", "dead", Number.NaN);
    const lines = await samples(metrics);
    expect(lines).toContain('deskbridge_delivery_lag_seconds_sum{target="desk"} 0');
    expect(lines).toContain('deskbridge_delivery_lag_seconds_count{target="desk"} 2');
  });

  it("time webhooks and operations in seconds", async () => {
    const metrics = createMetrics();
    metrics.hookAnswered("shop", 202, 4);
    metrics.targetCall("desk", "ticket.open")();
    const lines = await samples(metrics);
    expect(lines).toContain(
      'deskbridge_hook_ack_seconds_bucket{le="0.005",connection="shop",status="202"} 1',
    );
    expect(lines).toContain(
      'deskbridge_hook_ack_seconds_bucket{le="0.0025",connection="shop",status="202"} 0',
    );
    expect(lines).toContain('deskbridge_target_call_seconds_count{target="desk",operation="ticket.open"} 1');
  });

  it("take readings when asked, and leave one out that fails", async () => {
    const metrics = createMetrics();
    metrics.onScrape(() => {
      throw new Error("no queue");
    });
    metrics.onScrape(async () => Promise.reject(new Error("no budget")));
    metrics.onScrape((gauges) => {
      gauges.appendsWaiting(7);
      gauges.queueDepth("desk", { waiting: 1, active: 2, delayed: 3 });
      gauges.rateBudget("desk", { limit: 40, used: 30, waiting: 7 });
      gauges.rateBudget("lake", { limit: 1, used: 0, waiting: 0 });
      gauges.rateBudget("lake", undefined);
    });
    const lines = await samples(metrics);
    expect(lines).toContain("deskbridge_appends_waiting 7");
    expect(lines).toContain('deskbridge_queue_depth{target="desk",state="delayed"} 3');
    expect(lines).toContain('deskbridge_rate_budget_limit{account="desk"} 40');
    expect(lines).toContain('deskbridge_rate_budget_used{account="desk"} 30');
    expect(lines).toContain('deskbridge_rate_budget_waiting{account="desk"} 7');
    expect(lines.filter((line) => line.includes('account="lake"'))).toEqual([]);
  });

  it("tell of a day of support only what that day has", async () => {
    const metrics = createMetrics();
    const none = { "0.5": undefined, "0.9": undefined, "0.95": undefined };
    let day: SupportDay = {
      tickets: { created: 12, solved: 9, open: 3 },
      seconds: { first_reply: { "0.5": 61, "0.9": 300, "0.95": 420 }, full_resolution: none },
      csat: { responses: 2, average: 4.5, good_share: 1 },
    };
    metrics.onScrape((gauges) => gauges.supportDay(day));
    const busy = await samples(metrics);
    expect(busy).toContain('deskbridge_support_day_tickets{kind="created"} 12');
    expect(busy).toContain('deskbridge_support_day_seconds{measure="first_reply",quantile="0.9"} 300');
    expect(busy).toContain('deskbridge_support_day_csat{figure="average"} 4.5');
    day = {
      tickets: { created: 0, solved: 0, open: 3 },
      seconds: { first_reply: none, full_resolution: none },
      csat: { responses: 0, average: undefined, good_share: undefined },
    };
    const quiet = (await samples(metrics)).filter((line) => line.startsWith("deskbridge_support_day"));
    expect(quiet.toSorted()).toEqual([
      'deskbridge_support_day_csat{figure="responses"} 0',
      'deskbridge_support_day_tickets{kind="created"} 0',
      'deskbridge_support_day_tickets{kind="open"} 3',
      'deskbridge_support_day_tickets{kind="solved"} 0',
    ]);
  });

  it("are given without a reading that does not come back", async () => {
    const metrics = createMetrics({ readingTimeoutMs: 20 });
    metrics.onScrape(() => new Promise(() => {}));
    metrics.onScrape((gauges) => gauges.appendsWaiting(3));
    expect(await samples(metrics)).toContain("deskbridge_appends_waiting 3");
  });

  it("are the application's own: two instances share nothing", async () => {
    const [one, other] = [createMetrics({ withProcess: true }), createMetrics()];
    one.swept(1);
    expect(await samples(one)).toContain("deskbridge_sweeper_lanes_total 1");
    expect(await samples(other)).toContain("deskbridge_sweeper_lanes_total 0");
    expect(await one.render()).toContain("process_resident_memory_bytes");
  });
});
