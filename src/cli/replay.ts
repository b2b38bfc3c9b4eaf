import type { Command } from "commander";
import { requireConfig } from "../config/require-config.ts";
import { isEventType } from "../model/event.ts";
import type { EventType } from "../model/event.ts";
import { createReplays } from "../ledger/replay.ts";
import { planReplay } from "../schedule/replay-plan.ts";
import type { EventPlan } from "../schedule/replay-plan.ts";
import { replay } from "../schedule/replay.ts";
import type { ReplayCounts, ReplayRequest } from "../schedule/replay.ts";
import { addCommonOptions, addJsonOption, groups, parseCount, parseInstant } from "./argument.ts";
import type { CliContext, CommonOptions, LedgerVisit } from "./context.ts";
import { environmentOf, printJson, printLine, registryOf, secretPlaceholder, withLedger } from "./context.ts";
import { receiptText } from "./event-story-text.ts";
import { flowNamed } from "./flow-choice.ts";
import { untilInterrupted } from "./interrupt.ts";
import { createProgress } from "./progress.ts";
import type { Paint } from "./table.ts";
import { countOf, createPaint, oneLine } from "./table.ts";

interface ReplayOptions extends CommonOptions {
  readonly flow: string;
  readonly since: string;
  readonly until?: string;
  readonly eventType?: readonly string[];
  readonly limit?: number;
  readonly dryRun?: boolean;
}

/** `replay`: past events once more through a flow as it is configured now. */
export function addReplayVerb(program: Command, context: CliContext): void {
  const command = program
    .command("replay")
    .description(
      "run past events through a flow as it is configured now; nothing that was done is done again",
    )
    .helpGroup(groups.act)
    .requiredOption("--flow <name>", "the flow")
    .requiredOption(
      "--since <time>",
      "events received from then on: a date (UTC) or an RFC 3339 time",
      parseInstant,
    )
    .option("--until <time>", "events received before then; now unless told", parseInstant)
    .option("--event-type <types...>", "only events of these types")
    .option("--limit <number>", "so many events at most", parseCount)
    .option("--dry-run", "say what would be sent for each event, and do nothing")
    .addHelpText(
      "after",
      "\nEvents with a delivery by this flow that is not over yet are left out. Dead letters of the events are closed:\n" +
        "the new delivery takes their place. --dry-run takes events as they were received; what a worker would read from\n" +
        "their system first is not filled in.",
    );
  addJsonOption(addCommonOptions(command)).action(async (options: ReplayOptions) => {
    const until = options.until ?? new Date().toISOString();
    if (Date.parse(options.since) >= Date.parse(until))
      command.error("error: --since has to be before --until, and before now", { exitCode: 2 });
    const types = options.eventType?.filter(isEventType);
    if (types?.length !== options.eventType?.length)
      command.error("error: --event-type takes types of events, such as order.created", { exitCode: 2 });
    const config = await requireConfig(
      options.config,
      environmentOf(context),
      registryOf(context),
      secretPlaceholder,
    );
    const request = requestOf(flowNamed(config.flows, options.flow), until, types, options);
    await untilInterrupted((signal) =>
      withLedger(context, options, (visit) =>
        options.dryRun === true
          ? showPlan(context, request, visit, { signal, json: options.json === true })
          : run(context, request, visit, { signal, json: options.json === true }),
      ),
    );
  });
}

function requestOf(
  flow: ReplayRequest["flow"],
  until: string,
  types: readonly EventType[] | undefined,
  { since, limit }: ReplayOptions,
): ReplayRequest {
  return {
    flow,
    since,
    until,
    ...(types === undefined ? {} : { types }),
    ...(limit === undefined ? {} : { limit }),
  };
}

interface How {
  readonly signal: AbortSignal;
  readonly json: boolean;
}

async function run(
  context: CliContext,
  request: ReplayRequest,
  { foundation }: LedgerVisit,
  { signal, json }: How,
): Promise<void> {
  const { ledger, queue } = foundation;
  const progress = createProgress(context.stderr, `replay ${request.flow.name}`, Date.now);
  const onProgress = (counts: ReplayCounts): void =>
    progress.show({ fraction: counts.fraction, text: countsText(counts) });
  let counts: ReplayCounts;
  try {
    counts = await replay(request, { replays: createReplays(ledger.pool), queue, onProgress }, signal);
  } finally {
    progress.end();
  }
  const complete = !signal.aborted;
  const { replayed, pending, failed } = counts;
  const { name: flow } = request.flow;
  const { since, until } = request;
  if (json) printJson(context, { flow, since, until, replayed, pending, failed, complete });
  else {
    const end = complete ? "" : "; stopped: run the same command to go on, nothing is sent twice";
    printLine(context, `${flow}, ${since} to ${until}: ${countsText(counts)}${end}`);
  }
  if (!complete) context.fail();
}

function countsText({ replayed, pending, failed }: ReplayCounts): string {
  const lanes = failed === 0 ? "" : `, ${failed.toLocaleString("en-US")} whose lane fails`;
  return `${countOf(replayed, "event")} replayed; left out: ${pending.toLocaleString("en-US")} still pending${lanes}`;
}

async function showPlan(
  context: CliContext,
  request: ReplayRequest,
  { foundation }: LedgerVisit,
  { signal, json }: How,
): Promise<void> {
  const { ledger } = foundation;
  const paint = createPaint(context);
  const plans: EventPlan[] = [];
  const counts = { events: 0, sent: 0, onRecord: 0, skipped: 0, failed: 0, pending: 0 };
  for await (const plan of planReplay(request, { replays: createReplays(ledger.pool), ledger }, signal)) {
    count(counts, plan);
    if (json) plans.push(plan);
    else printLine(context, planLines(plan, paint).join("\n"));
  }
  if (json) printJson(context, { flow: request.flow.name, ...counts, plans });
  else printLine(context, planSummary(counts));
  if (signal.aborted) context.fail();
}

interface PlanCounts {
  events: number;
  sent: number;
  onRecord: number;
  skipped: number;
  failed: number;
  pending: number;
}

function count(counts: PlanCounts, plan: EventPlan): void {
  counts.events += 1;
  if (plan.kind === "pending") counts.pending += 1;
  else if (plan.kind === "skip") counts.skipped += 1;
  else if (plan.kind === "fail") counts.failed += 1;
  else {
    for (const { onRecord } of plan.operations) {
      if (onRecord === undefined) counts.sent += 1;
      else counts.onRecord += 1;
    }
  }
}

function planLines(plan: EventPlan, paint: Paint): string[] {
  const title = `${plan.sequence}  ${oneLine(plan.id)} ${plan.type} about ${oneLine(plan.subject)}`;
  switch (plan.kind) {
    case "pending":
      return [`${title}  ${paint.warning("left out: a delivery of it is not over yet")}`];
    case "skip":
      return [`${title}  ${paint.faint(`skipped: ${oneLine(plan.reason)}`)}`];
    case "fail":
      return [`${title}  ${paint.bad(`${plan.code}: ${oneLine(plan.message)}`)}`];
    case "deliver":
      return [
        title,
        ...plan.operations.map(({ operation, onRecord }) =>
          onRecord === undefined
            ? `    ${paint.good("would send")} ${operation}`
            : `    ${paint.faint(`on record already: ${receiptText(onRecord)}`)}`,
        ),
      ];
  }
}

function planSummary({ events, sent, onRecord, skipped, failed, pending }: PlanCounts): string {
  const parts = [
    `${countOf(sent, "operation")} would be sent`,
    `${onRecord.toLocaleString("en-US")} on record already`,
    `${skipped.toLocaleString("en-US")} skipped`,
    `${failed.toLocaleString("en-US")} would fail`,
    `${pending.toLocaleString("en-US")} left out as still pending`,
  ];
  return `${countOf(events, "event")}: ${parts.join(", ")}. Nothing was done.`;
}
