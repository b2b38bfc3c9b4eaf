/** What is said of a metric. */
export interface MetricRow {
  readonly kind: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly labels: readonly string[];
  /** Upper bounds, of a histogram. */
  readonly buckets?: readonly number[];
}

const callSeconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/**
 * Every metric of the project. Names and labels are stable: dashboards depend on them. Labels take values of the configuration or of a fixed
 * list, never of a request, so their number is bounded. `docs/reference/telemetry.md` is generated from here.
 */
export const metricCatalogue = {
  deskbridge_events_total: {
    kind: "counter",
    help: "Events received. Outcome: accepted, duplicate, ignored (a topic that no event type stands for) or rejected (a webhook that was refused, or a polled record that is not canonical).",
    labels: ["connection", "type", "outcome"],
  },
  deskbridge_hook_ack_seconds: {
    kind: "histogram",
    help: "From the arrival of a webhook's head to our answer, by HTTP status.",
    labels: ["connection", "status"],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
  },
  deskbridge_appends_waiting: {
    kind: "gauge",
    help: "Events that wait for the database to take them.",
    labels: [],
  },
  deskbridge_deliveries_total: {
    kind: "counter",
    help: "Attempts at a delivery. Outcome: done, skipped, retry, snooze or dead.",
    labels: ["target", "flow", "outcome"],
  },
  deskbridge_delivery_lag_seconds: {
    kind: "histogram",
    help: "From the receipt of an event to the end of its delivery (done, skipped or dead).",
    labels: ["target"],
    buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 3600],
  },
  deskbridge_target_call_seconds: {
    kind: "histogram",
    help: "Duration of an operation on a target, its calls and their repeats together.",
    labels: ["target", "operation"],
    buckets: callSeconds,
  },
  deskbridge_target_pauses_total: {
    kind: "counter",
    help: "Times that this process paused a target. Reason: the error code that asked for it, or breaker_open when calls kept failing.",
    labels: ["target", "reason"],
  },
  deskbridge_queue_depth: {
    kind: "gauge",
    help: "Rings in a target's queue. State: waiting, active or delayed.",
    labels: ["target", "state"],
  },
  deskbridge_rings_total: {
    kind: "counter",
    help: "Rings handed to the queue. Outcome: sent or failed; a failed ring is made up for by the sweeper.",
    labels: ["target", "outcome"],
  },
  deskbridge_rate_budget_limit: {
    kind: "gauge",
    help: "Calls that the account takes in a window of its rate limit, as declared or as the target said since.",
    labels: ["account"],
  },
  deskbridge_rate_budget_used: {
    kind: "gauge",
    help: "Calls that count in the account's present window: those of all processes, and those of others on the account that the target told of.",
    labels: ["account"],
  },
  deskbridge_rate_budget_waiting: {
    kind: "gauge",
    help: "Calls of all processes that wait for the account's rate limit, by weight.",
    labels: ["account"],
  },
  deskbridge_lanes_leased: {
    kind: "gauge",
    help: "Lanes that this process works on right now.",
    labels: ["target"],
  },
  deskbridge_lanes_held: {
    kind: "gauge",
    help: "Lanes that stand still behind a dead delivery until somebody decides (`onDead: hold`), over all processes.",
    labels: ["target"],
  },
  deskbridge_sweeper_lanes_total: {
    kind: "counter",
    help: "Lanes with due mail that the sweeper found unattended and rang for.",
    labels: [],
  },
  deskbridge_polls_total: {
    kind: "counter",
    help: "Runs of a poller. Outcome: ok or failed.",
    labels: ["connection", "source", "outcome"],
  },
  deskbridge_export_runs_total: {
    kind: "counter",
    help: "Runs of an export that ended in this process. Outcome: done, failed, aborted, or busy when another process had it.",
    labels: ["export", "outcome"],
  },
  deskbridge_export_rows_total: {
    kind: "counter",
    help: "Rows that exports changed in the warehouse. Change: inserted, updated or deleted.",
    labels: ["export", "dataset", "change"],
  },
  deskbridge_export_run_seconds: {
    kind: "histogram",
    help: "Duration of a run of an export.",
    labels: ["export"],
    buckets: [0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14_400],
  },
  deskbridge_export_last_success_timestamp_seconds: {
    kind: "gauge",
    help: "When the last run that was done began, over all processes, in seconds since the epoch.",
    labels: ["export"],
  },
  deskbridge_export_lag_seconds: {
    kind: "gauge",
    help: "How far a table of an export is behind its source: the age of the newest change that is in it for certain.",
    labels: ["export", "table"],
  },
  deskbridge_export_overdue_seconds: {
    kind: "gauge",
    help: "For how long a run that was due has not been done: 0 while the export is fresh. What to alert on.",
    labels: ["export"],
  },
  deskbridge_webhook_attempts_total: {
    kind: "counter",
    help: "Attempts at sending a webhook of the Support API. Outcome: delivered, retry or failed (given up after 72 hours).",
    labels: ["outcome"],
  },
  deskbridge_webhooks_failing: {
    kind: "gauge",
    help: "Webhooks of the Support API whose receiver is failing, over all processes.",
    labels: [],
  },
  deskbridge_support_day_tickets: {
    kind: "gauge",
    help: "Tickets of the desk in this process on the last whole day (UTC). Kind: created, solved (and not reopened since), open (at its end).",
    labels: ["kind"],
  },
  deskbridge_support_day_seconds: {
    kind: "gauge",
    help: "How long tickets took, of those whose first reply or last solving was on the last whole day (UTC), in calendar seconds. Measure: first_reply or full_resolution. Absent on a day without any.",
    labels: ["measure", "quantile"],
  },
  deskbridge_support_day_csat: {
    kind: "gauge",
    help: "Ratings of the last whole day (UTC). Figure: responses, average (1 to 5) or good_share (of 4 and 5). The last two are absent on a day without any.",
    labels: ["figure"],
  },
} as const satisfies Record<string, MetricRow>;

export type MetricName = keyof typeof metricCatalogue;
export type MetricLabel<N extends MetricName> = (typeof metricCatalogue)[N]["labels"][number];
