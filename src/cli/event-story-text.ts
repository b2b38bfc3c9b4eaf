import type { DataChange } from "../ledger/dead-letters.ts";
import type { AttemptRow, InterventionRow, MappedRow } from "../ledger/reader.ts";
import type {
  DeliveryStory,
  Enrichment,
  EventStory,
  FlowAnswer,
  FlowStory,
  StoredEvent,
} from "./event-story.ts";
import { oneLine } from "./table.ts";
import type { Paint } from "./table.ts";
import { durationText } from "./time-text.ts";

const howItCame: Readonly<Record<string, string>> = {
  webhook: "received as a webhook; its signature was verified before it was stored",
  poll: "read by a poll, with the connection's own credential",
  backfill: "read by a backfill, with the connection's own credential",
  replay: "played again from the ledger",
};

/** The way of an event as a timeline for people. */
export function storyText(story: EventStory, paint: Paint): string {
  const { event, flows } = story;
  return [
    `${paint.strong(oneLine(event.id))} ${oneLine(event.type)} about ${oneLine(event.subject)}, from ${oneLine(event.source)} (number ${event.sequence})`,
    "",
    `  ${event.time}  happened, by its system's clock`,
    `  ${event.receivedAt}  ${howItCame[event.via] ?? oneLine(event.via)}, ${delayText(event)}`,
    `  ${" ".repeat(event.receivedAt.length)}  stored once: a copy with the same id is acknowledged and not stored again`,
    ...enrichmentLines(story.enrichment, paint),
    ...("data" in event ? ["", "  data", ...valueLines(event.data, "    ")] : []),
    ...(flows.length === 0 ? ["", "  no flow is configured"] : []),
    ...flows.flatMap((flow) => ["", ...flowLines(flow, paint).map((line) => `  ${line}`)]),
  ].join("\n");
}

function delayText({ time, receivedAt }: StoredEvent): string {
  const delayMs = Date.parse(receivedAt) - Date.parse(time);
  return delayMs >= 0
    ? `${durationText(delayMs)} later`
    : `${durationText(-delayMs)} before it happened: the clocks differ`;
}

function enrichmentLines(enrichment: Enrichment, paint: Paint): string[] {
  if (enrichment.kind === "none") return [];
  if (enrichment.kind === "done")
    return ["", `  ${paint.faint("What it lacked was read from its system again.")}`];
  const { code, message } = enrichment;
  return [
    "",
    `  ${paint.warning("What it lacks could not be read from its system")}: ${code}: ${oneLine(message)}`,
  ];
}

function flowLines(story: FlowStory, paint: Paint): string[] {
  const { flow, position, delivery, answer } = story;
  const place =
    position === undefined ? "" : paint.faint(`  ${position.file}:${position.line}:${position.column}`);
  const title = `${paint.strong(oneLine(flow))}${place}`;
  if (delivery === undefined) {
    const why =
      story.matched === true
        ? "takes such events now, but did not when this one came: it has no delivery"
        : `not matched: ${story.reason}`;
    return [
      `${title}  ${paint.faint(why)}`,
      ...(answer === undefined ? [] : answerLines(answer, paint).map(indent)),
    ];
  }
  return [
    `${title}  → ${oneLine(delivery.target)}  ${statusText(delivery, paint)}`,
    ...deliveryLines(delivery, paint).map(indent),
    ...changeLines(story).map(indent),
    ...(answer === undefined ? [] : presentLines(answer, delivery, paint).map(indent)),
  ];
}

/** What the flow says now, shorter where that is what is on record. */
function presentLines(answer: FlowAnswer, delivery: DeliveryStory, paint: Paint): string[] {
  const same = answer.kind === "fails" && answer.message === delivery.reason;
  if (same) return [paint.faint("The configuration as it is now fails in the same way.")];
  return [paint.faint("By the configuration as it is now:"), ...answerLines(answer, paint)];
}

function indent(line: string): string {
  return `  ${line}`;
}

/** A delivery's state in a word, in its colour. */
export function statusText({ status }: Pick<DeliveryStory, "status">, paint: Paint): string {
  const colours = { pending: paint.warning, done: paint.good, skipped: paint.faint, dead: paint.bad };
  return colours[status](status);
}

/** A delivery and its attempts: the part of the story that is on record. */
export function deliveryLines(delivery: DeliveryStory, paint: Paint): string[] {
  const { id, lane, priority, status, history, replayedAt } = delivery;
  const lines = [
    `delivery ${id}, lane ${oneLine(lane)}, ${priority}${replayedAt === null ? "" : `, made by a replay at ${replayedAt}`}`,
    ...timeline(delivery, paint),
  ];
  if (delivery.holds) lines.push(paint.warning("it holds its lane: what comes after it waits"));
  if (status === "pending" && delivery.heldBy !== null)
    lines.push(paint.warning(`waits behind dead letter ${delivery.heldBy}, which holds the lane`));
  else if (status === "pending")
    lines.push(`${delivery.dueAt}  ${paint.warning(history.length === 0 ? "due" : "due again")}`);
  // One that was dead from the start, because its lane maps to nothing, has no attempt to tell why.
  if (status === "dead" && history.length === 0) {
    lines.push(
      `${delivery.finishedAt}  ${paint.bad("dead")} before its first attempt: ${delivery.code}: ${oneLine(delivery.reason ?? "")}`,
    );
  }
  return lines;
}

/** Attempts and what people did in between, in the order in which they happened. */
function timeline({ history, interventions }: DeliveryStory, paint: Paint): string[] {
  const attempts = history.map((attempt, index) => ({
    at: attempt.startedAt,
    lines: attemptLines(attempt, history[index - 1]?.config ?? null, paint),
  }));
  const doings = interventions.map((one) => ({ at: one.happenedAt, lines: interventionLines(one, paint) }));
  const parts = [...attempts, ...doings].sort((a, b) => Date.parse(a.at) - Date.parse(b.at));
  return parts.flatMap((part) => part.lines);
}

function interventionLines({ kind, happenedAt, details }: InterventionRow, paint: Paint): string[] {
  const margin = " ".repeat(happenedAt.length);
  const said = details["reason"] ?? details["as"];
  const about = typeof said === "string" ? `: ${oneLine(said)}` : "";
  const changes = (details["changes"] ?? []) as readonly DataChange[];
  return [
    `${happenedAt}  ${paint.strong(`${kind} by hand`)}${about}`,
    ...changes.map(({ path, from, to }) => `${margin}    ${path}: ${briefly(from)} → ${briefly(to)}`),
  ];
}

function briefly(value: unknown): string {
  if (value === undefined) return "nothing";
  return oneLine(typeof value === "string" ? value : JSON.stringify(value));
}

function attemptLines(attempt: AttemptRow, configBefore: string | null, paint: Paint): string[] {
  const { startedAt, number, durationMs, outcome, code, message, config, operations } = attempt;
  const words = [code, message].filter((word) => word !== null).map(oneLine);
  const tell =
    outcome === "done"
      ? paint.good
      : outcome === "dead"
        ? paint.bad
        : outcome === "skipped"
          ? paint.faint
          : paint.warning;
  const answer = words.length === 0 ? "" : `: ${words.join(": ")}`;
  // A snooze costs no attempt, so it has the number of the one before it, or none.
  const which = number === 0 || outcome === "snooze" ? "put off" : `attempt ${number}`;
  return [
    `${startedAt}  ${which}, ${durationText(durationMs)}: ${tell(outcome)}${answer}${
      config === null || config === configBefore ? "" : paint.faint(`  configuration ${config}`)
    }`,
    ...mappedLines(operations ?? [], `${" ".repeat(startedAt.length)}    `),
    ...attempt.receipts.map((receipt) => `${" ".repeat(startedAt.length)}    ${receiptText(receipt)}`),
  ];
}

function mappedLines(operations: readonly MappedRow[], margin: string): string[] {
  if (operations.length === 0) return [];
  return [
    `${margin}it had mapped to`,
    ...operations.flatMap(({ name, input }) => [`${margin}  ${name}`, ...valueLines(input, `${margin}    `)]),
  ];
}

/** What the target answered to one operation: `ticket.open: created ticket 8812 (#1042) https://…`. */
export function receiptText(receipt: Readonly<Record<string, unknown>>): string {
  const wordOf = (key: string): string[] => (typeof receipt[key] === "string" ? [receipt[key]] : []);
  const words = [
    ...["result", "kind", "id"].flatMap(wordOf),
    ...wordOf("number").map((number) => `(#${number})`),
    ...wordOf("url"),
  ];
  const again = receipt["replayed"] === true ? " (the target knew the effect already)" : "";
  return oneLine(`${wordOf("operation").join("")}: ${words.join(" ")}${again}`);
}

function changeLines({ matched, reason, configured, delivery }: FlowStory): string[] {
  if (delivery?.target === "(intake)") return ["The event is not canonical, so no flow has seen it."];
  if (configured === false) return ["This flow is not configured any more."];
  return matched === false ? [`By now the flow would leave it: ${reason}`] : [];
}

/** What a flow makes of the event by the configuration as it is. */
export function answerLines(answer: FlowAnswer, paint: Paint): string[] {
  if (answer.kind === "leaves") return [`when: does not pass, ${oneLine(answer.reason)}`];
  if (answer.kind === "fails")
    return [`${paint.bad("mapping fails")}: ${answer.code}: ${oneLine(answer.message)}`];
  return [
    "when: passes",
    "maps to",
    ...answer.operations.flatMap(({ name, input }) => [`  ${name}`, ...valueLines(input, "    ")]),
  ];
}

/** A value in lines of `key: value`, deeper ones further in. */
export function valueLines(value: unknown, margin: string): string[] {
  if (typeof value !== "object" || value === null) return [`${margin}${scalarText(value)}`];
  const entries = Array.isArray(value)
    ? value.map((item: unknown) => ["-", item] as const)
    : Object.entries(value).map(([key, inner]) => [`${oneLine(key)}:`, inner as unknown] as const);
  return entries.flatMap(([label, inner]) => {
    if (inner === undefined) return [];
    if (typeof inner !== "object" || inner === null) return [`${margin}${label} ${scalarText(inner)}`];
    if (Object.keys(inner).length === 0) return [`${margin}${label} ${Array.isArray(inner) ? "[]" : "{}"}`];
    return [`${margin}${label}`, ...valueLines(inner, `${margin}  `)];
  });
}

function scalarText(value: unknown): string {
  return typeof value === "string" ? oneLine(value) : String(value);
}
