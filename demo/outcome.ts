import { setTimeout as pause } from "node:timers/promises";
import type { Progress, Step } from "../src/cli/progress.ts";
import type { Day } from "./day/day.ts";
import { differences } from "./desk/comparison.ts";
import type { DeskTicket } from "./desk/support-api.ts";
import { createSupportApi } from "./desk/support-api.ts";
import type { Tally } from "./report/tally.ts";
import { countTickets, readEventCount } from "./report/tally.ts";
import { playDay } from "./shop/player.ts";
import { createSender } from "./shop/sender.ts";
import type { Stage } from "./stage.ts";
import { shopConnection, shopDomain } from "./stage.ts";

/** What came of a day: the figures, the tickets, and what is other than it should be. */
export interface Outcome {
  readonly tally: Omit<Tally, "replied" | "exported" | "seconds">;
  readonly tickets: readonly DeskTicket[];
  readonly faults: readonly string[];
}

const requestsAtOnce = 16;
const lookEveryMs = 100;
/** Without any progress for this long the demo fails rather than wait on. */
const patienceMs = 60_000;

/** Plays the day into deskbridge, waits until nothing is pending, and looks at what is in the ledger and on the desk then. */
export async function playOut(
  stage: Stage,
  day: Day,
  progress: Progress,
  signal: AbortSignal,
): Promise<Outcome> {
  const api = createSupportApi(stage.url, stage.apiKey);
  const before = { ...(await readLedger(stage)), lastTicket: await api.lastTicketNumber() };
  const sent = await playAndWait(stage, day, progress, signal, before);

  const tickets = await api.ticketsAfter(before.lastTicket);
  const orders = await Promise.all(day.expected.orders.map((order) => api.order(shopConnection, order.id)));
  const after = await readLedger(stage);
  const metrics = await (await fetch(`${stage.url}/metrics`)).text();
  return {
    tickets,
    faults: differences(day.expected, tickets, orders),
    tally: {
      sent,
      accepted: after.events - before.events,
      duplicates: readEventCount(metrics, "duplicate"),
      rejected: readEventCount(metrics, "rejected"),
      ...countTickets(tickets),
      dead: after.dead - before.dead,
      pending: after.pending,
    },
  };
}

/** Resolves with the number of requests sent. */
async function playAndWait(
  stage: Stage,
  day: Day,
  progress: Progress,
  signal: AbortSignal,
  before: LedgerFigures,
): Promise<number> {
  const played = { sent: 0, isOver: false };
  const play = async (stop: AbortSignal): Promise<void> => {
    const { send } = createSender({
      hookUrl: () => `${stage.url}/hooks/${shopConnection}`,
      clientSecret: stage.clientSecret,
      shopDomain,
      giveUpMs: patienceMs,
      signal: stop,
    });
    const onAnswer = (): void => void (played.sent += 1);
    await playDay(day.steps, { send, concurrency: requestsAtOnce, onAnswer });
    played.isOver = true;
  };
  const look = async (): Promise<Look> => {
    // Asked for first: what is sent after the look must not be taken for settled.
    const wasOver = played.isOver;
    const now = await readLedger(stage);
    const text = `sent ${played.sent} of ${day.steps.length}, ${now.over - before.over} deliveries over, ${now.pending} pending`;
    return {
      isSettled: wasOver && now.pending === 0,
      pending: now.pending,
      step: { fraction: played.sent / day.steps.length, text },
    };
  };
  try {
    await together(signal, [play, (stop) => untilSettled(look, progress, stop)]);
  } finally {
    progress.end();
  }
  return played.sent;
}

/** Runs the tasks at the same time. When one fails or `signal` is aborted the others are stopped, and the first fault is thrown when all have ended. */
async function together(
  signal: AbortSignal,
  tasks: readonly ((stop: AbortSignal) => Promise<void>)[],
): Promise<void> {
  const controller = new AbortController();
  const stop = AbortSignal.any([signal, controller.signal]);
  const running = tasks.map((task) => task(stop));
  try {
    await Promise.all(running);
  } finally {
    controller.abort();
    await Promise.allSettled(running);
  }
}

interface LedgerFigures {
  readonly events: number;
  readonly pending: number;
  readonly dead: number;
  /** Deliveries that are done, skipped or dead. */
  readonly over: number;
}

async function readLedger({ app }: Stage): Promise<LedgerFigures> {
  const { events, deliveries } = await app.reader.counts();
  const { pending, done, skipped, dead } = deliveries;
  return { events, pending, dead, over: done + skipped + dead };
}

interface Look {
  readonly isSettled: boolean;
  readonly pending: number;
  readonly step: Step;
}

async function untilSettled(
  look: () => Promise<Look>,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  let last = "";
  let movedAt = Date.now();
  for (;;) {
    const { isSettled, pending, step } = await look();
    progress.show(step);
    if (isSettled) return;
    if (step.text !== last) movedAt = Date.now();
    if (Date.now() - movedAt > patienceMs) {
      throw new Error(`nothing has moved for ${patienceMs / 1000} s, with ${pending} deliveries pending`);
    }
    last = step.text;
    await pause(lookEveryMs, undefined, { signal });
  }
}
