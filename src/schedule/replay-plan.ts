import type { Flow } from "../flows/flow.ts";
import { tryFlow } from "../flows/try.ts";
import type { Ledger, StoredReceipt } from "../ledger/ledger.ts";
import { eventOf } from "../ledger/reader.ts";
import type { ReplayEvent, Replays } from "../ledger/replay.ts";
import type { OperationName } from "../model/operation.ts";
import type { ReplayRequest } from "./replay.ts";
import { pagesOf } from "./replay.ts";

/** One operation of a planned replay: sent, or on record as carried out already. */
export interface PlannedEffect {
  readonly operation: OperationName;
  /** What the target answered then; undefined for one that would be sent. */
  readonly onRecord: StoredReceipt | undefined;
}

/** What a replay would do with one event. */
export type EventPlan = {
  readonly sequence: number;
  readonly id: string;
  readonly type: string;
  readonly subject: string;
} & (
  | { readonly kind: "deliver"; readonly lane: string; readonly operations: readonly PlannedEffect[] }
  /** `when` does not pass. */
  | { readonly kind: "skip"; readonly reason: string }
  | { readonly kind: "fail"; readonly code: string; readonly message: string }
  /** A delivery of it by this flow is not over yet. */
  | { readonly kind: "pending" }
);

/** What a replay would do, event by event, without doing it. Asks no other system: events are taken as they were received. */
export async function* planReplay(
  request: ReplayRequest,
  { replays, ledger }: { readonly replays: Replays; readonly ledger: Pick<Ledger, "receipts"> },
  signal: AbortSignal,
): AsyncGenerator<EventPlan> {
  let left = request.limit ?? Infinity;
  for await (const { events } of pagesOf(request, replays, signal)) {
    for (const row of events) {
      if (left <= 0) return;
      const plan = await planEvent(request.flow, row, ledger);
      if (plan.kind !== "pending") left -= 1;
      yield plan;
    }
  }
}

async function planEvent(flow: Flow, row: ReplayEvent, ledger: Pick<Ledger, "receipts">): Promise<EventPlan> {
  const { sequence, eventId: id, type, subject } = row;
  const facts = { sequence, id, type, subject };
  if (row.pending) return { ...facts, kind: "pending" };
  const trial = tryFlow(flow, eventOf(row));
  if (trial.outcome === "skipped") return { ...facts, kind: "skip", reason: trial.reason };
  if (trial.outcome === "failed") {
    const { code, message } = trial.error;
    return { ...facts, kind: "fail", code, message };
  }
  const receipts = await ledger.receipts(sequence, flow.name, trial.target);
  const operations = trial.operations.map(({ name }, index) => ({
    operation: name,
    onRecord: receipts.findLast((one) => one["index"] === index && one["operation"] === name),
  }));
  return { ...facts, kind: "deliver", lane: trial.lane, operations };
}
