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

/** What a ticket adds to the figures of one moment: slots and amounts in turn. */
interface Contribution {
  readonly at: number;
  readonly amounts: readonly number[];
}

/** Everything that a ticket adds to the figures. */
function contributionsOf(facts: TicketFacts): readonly Contribution[] {
  const { created, turns, reply, resolution, rating } = facts;
  const contributions: Contribution[] = [{ at: created, amounts: [slot.created, 1] }];
  turns.forEach((at, index) => contributions.push({ at, amounts: [slot.drift, index % 2 === 0 ? -1 : 1] }));
  if (reply !== null) {
    const [at, seconds, business] = reply;
    const bins = [slot.replyBins + binOf(seconds), 1, slot.replyBusinessBins + binOf(business), 1];
    const sums = [slot.replied, 1, slot.replySum, seconds, slot.replyBusinessSum, business];
    contributions.push({ at, amounts: [...sums, ...bins] });
  }
  if (resolution !== null) {
    const [at, seconds, business] = resolution;
    const bins = [slot.resolutionBins + binOf(seconds), 1, slot.resolutionBusinessBins + binOf(business), 1];
    // Its last turn takes it from the open ones as well.
    const sums = [
      slot.solved,
      1,
      slot.drift,
      1,
      slot.resolutionSum,
      seconds,
      slot.resolutionBusinessSum,
      business,
    ];
    contributions.push({ at, amounts: [...sums, ...bins] });
    if (facts.reopens > 0) contributions.push({ at, amounts: [slot.reopened, 1] });
    else if (facts.replies <= 1) contributions.push({ at, amounts: [slot.oneTouch, 1] });
  }
  if (rating !== null) {
    const [at, score] = rating;
    const amounts = [slot.rated, 1, slot.ratingSum, score, slot.ratedWell, score >= 4 ? 1 : 0];
    contributions.push({ at, amounts });
  }
  return contributions;
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
  const byGroup = new Map<string, Map<number, GroupChange>>();
  const cellOf = (code: number, key: string, at: number): Cell => {
    const days = entryOf(byGroup, `${code} ${key}`, () => new Map<number, GroupChange>());
    const day = Math.floor(at / daySeconds);
    const { quarters } = entryOf(days, day, () => ({ code, key, day, quarters: new Map<number, Cell>() }));
    return entryOf(quarters, Math.floor((at % daySeconds) / quarterSeconds), () => new Map<number, number>());
  };
  return {
    add: (facts, sign) => {
      const contributions = contributionsOf(facts);
      for (const [code, key] of groupsOf(facts)) {
        for (const { at, amounts } of contributions) {
          const cell = cellOf(code, key, at);
          for (let index = 0; index < amounts.length; index += 2) {
            addTo(cell, amounts[index] ?? 0, sign * (amounts[index + 1] ?? 0));
          }
        }
      }
    },
    changes: () => [...byGroup.values()].flatMap((days) => [...days.values()]).filter(changesAnything),
  };
}

function entryOf<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let entry = map.get(key);
  if (entry === undefined) map.set(key, (entry = make()));
  return entry;
}

function changesAnything({ quarters }: GroupChange): boolean {
  return [...quarters.values()].some((cell) => [...cell.values()].some((amount) => amount !== 0));
}
