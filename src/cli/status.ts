import type { Command } from "commander";
import { toAppError } from "../errors.ts";
import type { LedgerCounts, TargetCounts } from "../ledger/reader.ts";
import type { Foundation } from "../foundation.ts";
import type { BudgetUsage } from "../queue/budget.ts";
import type { QueueDepth } from "../queue/queue.ts";
import { parseBackfillCursor } from "../schedule/backfill.ts";
import { addDataOption, addJsonOption, groups } from "./argument.ts";
import type { CliContext, CommonOptions } from "./context.ts";
import { printJson, printLine, withLedger } from "./context.ts";
import type { Paint } from "./table.ts";
import { clip, countOf, createPaint, formatTable } from "./table.ts";
import { agoText, durationText } from "./time-text.ts";

/** A target's mail and its rings; the rings are null when the queue does not answer. */
export type TargetStatus = TargetCounts & { readonly rings: QueueDepth | null };

/** What `status` shows. */
export type Status = Omit<LedgerCounts, "targets"> & {
  /** Why the queue could not be asked, null when it could. */
  readonly queueFault: string | null;
  readonly targets: readonly TargetStatus[];
  /** Rate budgets of the accounts that were called lately; null when nobody could say. */
  readonly budgets: readonly (BudgetUsage & { readonly account: string })[] | null;
};

/** `status`: what is waiting, where, and since when. */
export function addStatusVerb(program: Command, context: CliContext): void {
  const command = program
    .command("status")
    .description("events, deliveries, targets, queues and cursors")
    .helpGroup(groups.look);
  addJsonOption(addDataOption(command)).action(async (options: CommonOptions) => {
    const status = await withLedger(context, options, async ({ foundation, reader }) =>
      readStatus(await reader.counts(), foundation),
    );
    if (options.json === true) printJson(context, status);
    else printLine(context, statusReport(status, createPaint(context), Date.now()));
  });
}

async function readStatus(
  counts: LedgerCounts,
  { queue, budget }: Pick<Foundation, "queue" | "budget">,
): Promise<Status> {
  const budgets = await budget.inUse().catch(() => null);
  try {
    await queue.ping();
    const targets = await Promise.all(
      counts.targets.map(async (target) => ({ ...target, rings: await queue.depth(target.target) })),
    );
    return { ...counts, queueFault: null, targets, budgets };
  } catch (error) {
    const targets = counts.targets.map((target) => ({ ...target, rings: null }));
    return { ...counts, queueFault: toAppError(error).message, targets, budgets };
  }
}

/** The status for people. `now` is in milliseconds since the epoch. */
export function statusReport(status: Status, paint: Paint, now: number): string {
  const { pending, done, skipped, dead } = status.deliveries;
  const count = (number: number): string => number.toLocaleString("en-US");
  const parts = [
    `${countOf(status.events, "event")}; deliveries: ${count(pending)} pending, ${count(done)} done, ${count(skipped)} skipped, ${
      dead === 0 ? "0 dead" : paint.bad(`${count(dead)} dead`)
    }`,
  ];
  if (status.queueFault !== null)
    parts.push(paint.bad(`The queue cannot be asked: ${status.queueFault}. No event is lost by it.`));
  if (status.targets.length > 0) parts.push(targetTable(status.targets, paint));
  if (status.budgets !== null && status.budgets.length > 0) parts.push(budgetTable(status.budgets, paint));
  if (status.cursors.length > 0) parts.push(cursorTable(status, now));
  const heldLanes = status.targets.reduce((sum, target) => sum + target.heldLanes, 0);
  const heldWaiting = status.targets.reduce((sum, target) => sum + target.heldWaiting, 0);
  if (heldLanes > 0) {
    const stand = `${countOf(heldLanes, "lane")} ${heldLanes === 1 ? "stands" : "stand"} still behind a dead letter`;
    const waiting = `${countOf(heldWaiting, "delivery", "deliveries")} ${heldWaiting === 1 ? "waits" : "wait"} there until somebody decides.`;
    parts.push(paint.bad(`${stand}; ${waiting}`));
  }
  if (dead > 0) parts.push("See `deskbridge dead list` for what is dead and why.");
  return parts.join("\n\n");
}

function targetTable(targets: readonly TargetStatus[], paint: Paint): string {
  const columns = [
    { title: "target" },
    ...["pending", "due", "dead", "held lanes"].map((title) => ({ title, numeric: true })),
    { title: "oldest due", numeric: true },
    ...["rings", "active", "delayed"].map((title) => ({ title, numeric: true })),
    { title: "paused" },
  ];
  const rows = targets.map((target) => {
    const { oldestDueSeconds, pausedSeconds, pauseReason, rings } = target;
    const pause =
      pausedSeconds === null
        ? "-"
        : paint.warning(`${durationText(pausedSeconds * 1000)} more, ${clip(pauseReason ?? "", 60)}`);
    return [
      target.target,
      target.pending,
      target.due,
      target.dead,
      target.heldLanes,
      oldestDueSeconds === null ? "-" : durationText(oldestDueSeconds * 1000),
      rings?.waiting ?? "?",
      rings?.active ?? "?",
      rings?.delayed ?? "?",
      pause,
    ];
  });
  return formatTable(columns, rows);
}

function budgetTable(budgets: NonNullable<Status["budgets"]>, paint: Paint): string {
  const columns = [
    { title: "rate budget" },
    ...["limit", "used", "waiting"].map((title) => ({ title, numeric: true })),
    { title: "closed" },
  ];
  const rows = budgets.map(({ account, limit, used, waiting, closedMs }) => [
    account,
    limit,
    used,
    waiting,
    closedMs === 0 ? "-" : paint.warning(`${durationText(closedMs)} more`),
  ]);
  return formatTable(columns, rows);
}

function cursorTable({ cursors }: Status, now: number): string {
  const rows = cursors.map(({ connection, source, time, movedAt }) => [
    connection,
    sourceText(source),
    time,
    agoText(Date.parse(movedAt), now),
  ]);
  return formatTable(
    [{ title: "connection" }, { title: "source" }, { title: "read up to" }, { title: "moved" }],
    rows,
  );
}

function sourceText(name: string): string {
  const span = parseBackfillCursor(name);
  return span === undefined ? name : `${span.source}, backfill from ${span.since} to ${span.until}`;
}
