import { setTimeout as pause } from "node:timers/promises";
import type { Receipts } from "./child-stub.ts";
import type { Database } from "./database.ts";
import type { Stage } from "./stage.ts";

/** Thrown when the counts are wrong: the figures of such a run are worth nothing. */
export class CountError extends Error {
  override readonly name = "CountError";
}

/** Makes sure that the desk got every ticket of the run once and nothing else; gives what it got. */
export async function checkDesk(stage: Pick<Stage, "stub">, run: string): Promise<Receipts> {
  const receipts = await stage.stub.call("receipts", undefined);
  const missing = receipts.arrivedAt.filter((at) => at === null).length;
  if (missing > 0)
    throw new CountError(`${run}: ${missing} tickets of ${receipts.arrivedAt.length} did not arrive`);
  if (receipts.repeated > 0)
    throw new CountError(`${run}: ${receipts.repeated} tickets arrived more than once`);
  if (receipts.strange.length > 0)
    throw new CountError(`${run}: the desk was asked for ${receipts.strange[0]}`);
  return receipts;
}

interface LedgerCounts {
  readonly events: number;
  readonly pending: number;
  readonly done: number;
  readonly others: number;
}

const countText = `select (select count(*)::int from deskbridge.event) as events,
  count(*) filter (where status = 0)::int as pending,
  count(*) filter (where status = 1)::int as done,
  count(*) filter (where status > 1)::int as others
from deskbridge.delivery`;

const settledWithinMs = 10_000;

/** Makes sure that the ledger has so many events and that each is done; waits a little for the last results. */
export async function checkLedger(database: Database, run: string, events: number): Promise<void> {
  const deadline = performance.now() + settledWithinMs;
  for (;;) {
    const [counts] = await database.query<LedgerCounts>(countText);
    if (counts?.events === events && counts.done === events && counts.pending === 0 && counts.others === 0)
      return;
    if (performance.now() > deadline) {
      throw new CountError(`${run}: expected ${events} events done, found ${JSON.stringify(counts)}`);
    }
    await pause(50);
  }
}

/** Makes sure that every webhook was answered 202. */
export function checkAnswers(run: string, statuses: Readonly<Record<string, number>>, events: number): void {
  if (statuses["202"] === events && Object.keys(statuses).length === 1) return;
  throw new CountError(`${run}: expected ${events} answers 202, found ${JSON.stringify(statuses)}`);
}
