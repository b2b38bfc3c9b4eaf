import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import type { MetricLabel, MetricName, MetricRow } from "./metric-catalogue.ts";
import { metricCatalogue } from "./metric-catalogue.ts";

export type EventOutcome = "accepted" | "duplicate" | "ignored" | "rejected";
export type ExportOutcome = "done" | "failed" | "aborted" | "busy";
export type DeliveryOutcome = "done" | "skipped" | "retry" | "snooze" | "dead";

/** What the process counts. Calls are cheap, never throw and take effect at once; one instance an application. */
export interface Metrics {
  /** `type` is an event type, or `none` where it is not known. */
  readonly event: (connection: string, type: string, outcome: EventOutcome) => void;
  readonly hookAnswered: (connection: string, status: number, milliseconds: number) => void;
  /** `lagMs` is the time since the event was received; it is recorded for an attempt that ends the delivery. */
  readonly delivery: (target: string, flow: string, outcome: DeliveryOutcome, lagMs: number) => void;
  /** Starts the clock on an operation; call the result when it is over, however it ended. */
  readonly targetCall: (target: string, operation: string) => () => void;
  readonly rings: (target: string, outcome: "sent" | "failed", count?: number) => void;
  /** Adds to the lanes under work; negative when lanes are given back. */
  readonly targetPaused: (target: string, reason: string) => void;
  readonly lanesLeased: (target: string, change: number) => void;
  readonly swept: (lanes: number) => void;
  readonly poll: (connection: string, source: string, outcome: "ok" | "failed") => void;
  readonly exportRun: (name: string, outcome: ExportOutcome, milliseconds: number) => void;
  readonly exportRows: (
    name: string,
    dataset: string,
    rows: { readonly inserted: number; readonly updated: number; readonly deleted: number },
  ) => void;
  readonly webhookAttempt: (outcome: "delivered" | "retry" | "failed") => void;
  /** Names a reading to take when the metrics are asked for. One that fails, or takes too long, keeps its last value and does not hold up the answer. */
  readonly onScrape: (reading: (gauges: Gauges) => void | Promise<void>) => void;
  /** All of it in the Prometheus text format. */
  readonly render: () => Promise<string>;
  /** The media type of what `render` gives. */
  readonly contentType: string;
}

type Percentiles = Readonly<Record<"0.5" | "0.9" | "0.95", number | undefined>>;

/** The support metrics of one day. What is undefined has no value on that day. */
export interface SupportDay {
  readonly tickets: Readonly<Record<"created" | "solved" | "open", number>>;
  readonly seconds: Readonly<Record<"first_reply" | "full_resolution", Percentiles>>;
  readonly csat: Readonly<Record<"responses" | "average" | "good_share", number | undefined>>;
}

/** What is read rather than counted. An account without a rate limit has no budget to set. */
export interface Gauges {
  readonly appendsWaiting: (count: number) => void;
  readonly lanesHeld: (target: string, lanes: number) => void;
  readonly queueDepth: (
    target: string,
    depth: { readonly waiting: number; readonly active: number; readonly delayed: number },
  ) => void;
  readonly webhooksFailing: (count: number) => void;
  readonly exportLag: (name: string, table: string, lagMs: number) => void;
  /** `lastDoneAt` in milliseconds since the epoch; undefined for an export that was never done. */
  readonly exportStanding: (name: string, lastDoneAt: number | undefined, overdueMs: number) => void;
  readonly supportDay: (day: SupportDay) => void;
  readonly rateBudget: (
    account: string,
    usage: { readonly limit: number; readonly used: number; readonly waiting: number } | undefined,
  ) => void;
}

export interface MetricsOptions {
  /** Adds Node's own figures: CPU, memory, event loop, garbage collection. */
  readonly withProcess?: boolean;
  /** How long an answer waits for its readings; 2,000 ms unless told. */
  readonly readingTimeoutMs?: number;
}

/** Metrics on a registry of their own. */
export function createMetrics({
  withProcess = false,
  readingTimeoutMs = 2000,
}: MetricsOptions = {}): Metrics {
  const registry = new Registry();
  if (withProcess) collectDefaultMetrics({ register: registry });
  const readings: ((gauges: Gauges) => void | Promise<void>)[] = [];
  const { members, gauges } = createMembers(registry);
  return {
    ...members,
    onScrape: (reading) => void readings.push(reading),
    render: async () => {
      const taken = Promise.allSettled(readings.map(async (reading) => reading(gauges)));
      await settledWithin(taken, readingTimeoutMs);
      return registry.metrics();
    },
    contentType: registry.contentType,
  };
}

async function settledWithin(work: Promise<unknown>, milliseconds: number): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, milliseconds);
  await Promise.race([work, late.promise]);
  clearTimeout(timer);
}

type Members = Omit<Metrics, "onScrape" | "render" | "contentType">;

function createMembers(registry: Registry): { readonly members: Members; readonly gauges: Gauges } {
  const events = counter(registry, "deskbridge_events_total");
  const hookAck = histogram(registry, "deskbridge_hook_ack_seconds");
  const deliveries = counter(registry, "deskbridge_deliveries_total");
  const deliveryLag = histogram(registry, "deskbridge_delivery_lag_seconds");
  const targetCalls = histogram(registry, "deskbridge_target_call_seconds");
  const rings = counter(registry, "deskbridge_rings_total");
  const pauses = counter(registry, "deskbridge_target_pauses_total");
  const lanesLeased = gauge(registry, "deskbridge_lanes_leased");
  const sweeperLanes = counter(registry, "deskbridge_sweeper_lanes_total");
  const polls = counter(registry, "deskbridge_polls_total");
  const exported = createExportMembers(registry);
  const webhookAttempts = counter(registry, "deskbridge_webhook_attempts_total");
  const members: Members = {
    event: (connection, type, outcome) => events.inc({ connection, type, outcome }),
    hookAnswered: (connection, status, milliseconds) =>
      hookAck.observe({ connection, status }, seconds(milliseconds)),
    delivery: (target, flow, outcome, lagMs) => {
      deliveries.inc({ target, flow, outcome });
      if (outcome !== "retry" && outcome !== "snooze") deliveryLag.observe({ target }, seconds(lagMs));
    },
    targetCall: (target, operation) => {
      const startedAt = performance.now();
      return () => targetCalls.observe({ target, operation }, seconds(performance.now() - startedAt));
    },
    rings: (target, outcome, count = 1) => rings.inc({ target, outcome }, count),
    targetPaused: (target, reason) => pauses.inc({ target, reason }),
    lanesLeased: (target, change) => lanesLeased.inc({ target }, change),
    ...exported,
    webhookAttempt: (outcome) => webhookAttempts.inc({ outcome }),
    swept: (lanes) => sweeperLanes.inc(lanes),
    poll: (connection, source, outcome) => polls.inc({ connection, source, outcome }),
  };
  return { members, gauges: createGauges(registry) };
}

function createExportMembers(registry: Registry): Pick<Members, "exportRun" | "exportRows"> {
  const runs = counter(registry, "deskbridge_export_runs_total");
  const rows = counter(registry, "deskbridge_export_rows_total");
  const runSeconds = histogram(registry, "deskbridge_export_run_seconds");
  return {
    exportRun: (name, outcome, milliseconds) => {
      runs.inc({ export: name, outcome });
      if (outcome !== "busy") runSeconds.observe({ export: name }, seconds(milliseconds));
    },
    exportRows: (name, dataset, counts) => {
      for (const change of ["inserted", "updated", "deleted"] as const)
        rows.inc({ export: name, dataset, change }, counts[change]);
    },
  };
}

function createGauges(registry: Registry): Gauges {
  const appendsWaiting = gauge(registry, "deskbridge_appends_waiting");
  const lanesHeld = gauge(registry, "deskbridge_lanes_held");
  const webhooksFailing = gauge(registry, "deskbridge_webhooks_failing");
  const queueDepth = gauge(registry, "deskbridge_queue_depth");
  const rateBudget = {
    limit: gauge(registry, "deskbridge_rate_budget_limit"),
    used: gauge(registry, "deskbridge_rate_budget_used"),
    waiting: gauge(registry, "deskbridge_rate_budget_waiting"),
  };
  const lastSuccess = gauge(registry, "deskbridge_export_last_success_timestamp_seconds");
  const exportLag = gauge(registry, "deskbridge_export_lag_seconds");
  const overdue = gauge(registry, "deskbridge_export_overdue_seconds");
  return {
    supportDay: createSupportDay(registry),
    exportStanding: (name, lastDoneAt, overdueMs) => {
      if (lastDoneAt !== undefined) lastSuccess.set({ export: name }, lastDoneAt / 1000);
      overdue.set({ export: name }, seconds(overdueMs));
    },
    exportLag: (name, table, lagMs) => exportLag.set({ export: name, table }, seconds(lagMs)),
    webhooksFailing: (count) => webhooksFailing.set(count),
    appendsWaiting: (count) => appendsWaiting.set(count),
    lanesHeld: (target, lanes) => lanesHeld.set({ target }, lanes),
    queueDepth: (target, depth) => {
      for (const state of ["waiting", "active", "delayed"] as const)
        queueDepth.set({ target, state }, depth[state]);
    },
    rateBudget: (account, usage) => {
      for (const figure of ["limit", "used", "waiting"] as const) {
        if (usage === undefined) rateBudget[figure].remove({ account });
        else rateBudget[figure].set({ account }, usage[figure]);
      }
    },
  };
}

function createSupportDay(registry: Registry): Gauges["supportDay"] {
  const tickets = gauge(registry, "deskbridge_support_day_tickets");
  const durations = gauge(registry, "deskbridge_support_day_seconds");
  const csat = gauge(registry, "deskbridge_support_day_csat");
  return (day) => {
    for (const [kind, count] of Object.entries(day.tickets)) tickets.set({ kind }, count);
    // A day without any has no figure: yesterday's is not today's.
    durations.reset();
    csat.reset();
    for (const [measure, quantiles] of Object.entries(day.seconds)) {
      for (const [quantile, value] of Object.entries(quantiles))
        if (value !== undefined) durations.set({ measure, quantile }, value);
    }
    for (const [figure, value] of Object.entries(day.csat))
      if (value !== undefined) csat.set({ figure }, value);
  };
}

// Clocks that are set back, or a sender's time ahead of ours, must not make a histogram throw or go negative.
function seconds(milliseconds: number): number {
  return Number.isFinite(milliseconds) ? Math.max(0, milliseconds) / 1000 : 0;
}

function counter<N extends MetricName>(registry: Registry, name: N): Counter<MetricLabel<N>> {
  const { help, labels } = metricCatalogue[name];
  return new Counter({ name, help, labelNames: [...labels] as MetricLabel<N>[], registers: [registry] });
}

function gauge<N extends MetricName>(registry: Registry, name: N): Gauge<MetricLabel<N>> {
  const { help, labels } = metricCatalogue[name];
  return new Gauge({ name, help, labelNames: [...labels] as MetricLabel<N>[], registers: [registry] });
}

function histogram<N extends MetricName>(registry: Registry, name: N): Histogram<MetricLabel<N>> {
  const { help, labels, buckets = [] }: MetricRow = metricCatalogue[name];
  const labelNames = [...labels] as MetricLabel<N>[];
  return new Histogram({ name, help, labelNames, buckets: [...buckets], registers: [registry] });
}
