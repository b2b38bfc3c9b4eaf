import type { Cell } from "./metric-cell.ts";
import { addTo, slot } from "./metric-cell.ts";
import { binOf } from "./metric-histogram.ts";

/** What tickets can be grouped by. */
export const groupings = ["channel", "tag", "assignee", "order_source", "reason"] as const;
export type Grouping = (typeof groupings)[number];

/** The number under which the figures of a grouping are stored; 0 is all tickets together. */
export function groupingCode(grouping: Grouping | undefined): number {
  return grouping === undefined ? 0 : groupings.indexOf(grouping) + 1;
}

/** What the metrics count of one ticket. Times are in whole seconds since the epoch, durations in whole seconds. */
export interface TicketFacts {
  readonly created: number;
  /** When it was solved, reopened, solved … */
  readonly turns: readonly number[];
  /** When, calendar and business duration. */
  readonly reply: readonly [at: number, seconds: number, businessSeconds: number] | null;
  /** Of a ticket that is solved. */
  readonly resolution: readonly [at: number, seconds: number, businessSeconds: number] | null;
  readonly reopens: number;
  readonly replies: number;
  readonly rating: readonly [at: number, score: number] | null;
  readonly channel: string;
  readonly tags: readonly string[];
  readonly assignee: string | null;
  readonly order_sources: readonly string[];
  readonly reason: string | null;
}

/** The groups of a ticket, "" being none, for every grouping and for all tickets together. */
export function groupsOf(facts: TicketFacts): readonly (readonly [code: number, key: string])[] {
  const orNone = (keys: readonly string[]): readonly string[] => (keys.length === 0 ? [""] : keys);
  const keys: Readonly<Record<Grouping, readonly string[]>> = {
    channel: [facts.channel],
    tag: orNone(facts.tags),
    assignee: [facts.assignee ?? ""],
    order_source: orNone(facts.order_sources),
    reason: [facts.reason ?? ""],
  };
  const groups: [number, string][] = [[0, ""]];
  for (const grouping of groupings)
    for (const key of keys[grouping]) groups.push([groupingCode(grouping), key]);
  return groups;
}

/** Calls `add` with what the ticket adds to the figures, and when. */
export function contribute(
  facts: TicketFacts,
  add: (at: number, slot: number, amount: number) => void,
): void {
  add(facts.created, slot.created, 1);
  add(facts.created, slot.flow, 1);
  facts.turns.forEach((at, index) => add(at, slot.flow, index % 2 === 0 ? -1 : 1));
  if (facts.reply !== null) {
    const [at, seconds, business] = facts.reply;
    add(at, slot.replied, 1);
    add(at, slot.replySum, seconds);
    add(at, slot.replyBusinessSum, business);
    add(at, slot.replyBins + binOf(seconds), 1);
    add(at, slot.replyBusinessBins + binOf(business), 1);
  }
  if (facts.resolution !== null) {
    const [at, seconds, business] = facts.resolution;
    add(at, slot.solved, 1);
    add(at, slot.resolutionSum, seconds);
    add(at, slot.resolutionBusinessSum, business);
    add(at, slot.resolutionBins + binOf(seconds), 1);
    add(at, slot.resolutionBusinessBins + binOf(business), 1);
    if (facts.reopens > 0) add(at, slot.reopened, 1);
    else if (facts.replies <= 1) add(at, slot.oneTouch, 1);
  }
  if (facts.rating !== null) {
    const [at, score] = facts.rating;
    add(at, slot.rated, 1);
    add(at, slot.ratingSum, score);
    if (score >= 4) add(at, slot.ratedWell, 1);
  }
}

/** What a ticket, or its being taken out again, does to one group in one quarter of an hour. */
export interface GroupChange {
  readonly code: number;
  readonly key: string;
  /** The UTC day, counted from the epoch. */
  readonly day: number;
  readonly quarters: Map<number, Cell>;
}

export const daySeconds = 86_400;
export const quarterSeconds = 900;

/** Gathers changes of many tickets by group and day. */
export function gatherChanges(): {
  readonly add: (facts: TicketFacts, sign: 1 | -1) => void;
  readonly changes: () => readonly GroupChange[];
} {
  const byPlace = new Map<string, GroupChange>();
  return {
    add: (facts, sign) => {
      const groups = groupsOf(facts);
      contribute(facts, (at, place, amount) => {
        const day = Math.floor(at / daySeconds);
        const quarter = Math.floor((at % daySeconds) / quarterSeconds);
        for (const [code, key] of groups) {
          const name = `${code} ${day} ${key}`;
          let change = byPlace.get(name);
          if (change === undefined) byPlace.set(name, (change = { code, key, day, quarters: new Map() }));
          let cell = change.quarters.get(quarter);
          if (cell === undefined) change.quarters.set(quarter, (cell = new Map()));
          addTo(cell, place, sign * amount);
        }
      });
    },
    changes: () => [...byPlace.values()].filter(changesAnything),
  };
}

function changesAnything({ quarters }: GroupChange): boolean {
  return [...quarters.values()].some((cell) => [...cell.values()].some((amount) => amount !== 0));
}
