import { createHash } from "node:crypto";
import type { Dice } from "./dice.ts";
import { createDice } from "./dice.ts";
import type { Diary, Notice } from "./diary.ts";
import { createDiary } from "./diary.ts";
import type { Expectation } from "./expectation.ts";
import type { ShopOrder } from "./order.ts";
import { createOrders } from "./order.ts";
import { tellStories } from "./story.ts";

/** What is wrong with a request, if anything is. */
export type Flaw = "wrong_secret" | "changed_on_the_way" | "cut_off";

/** One request of the day. Those of one `chain` are sent one after the other, each after the one before was answered. */
export interface Step extends Notice {
  readonly eventId: string;
  readonly chain: string;
  readonly isRepeat: boolean;
  readonly flaw: Flaw | undefined;
}

/** A shop's day: its orders, every request in the order in which it is sent, and what must come of it. */
export interface Day {
  readonly orders: readonly ShopOrder[];
  readonly steps: readonly Step[];
  readonly expected: Expectation;
}

const repeatsOfADay = 18;
const flawsOfADay: readonly Flaw[] = ["wrong_secret", "changed_on_the_way", "cut_off"];

/** The day of a seed: the same seed gives the same requests. `dayStart` is its midnight in milliseconds since the epoch. */
export function createDay(seed: number, dayStart: number): Day {
  const dice = createDice(`day ${seed}`);
  // Far above one another, and far below 2^53.
  const orders = createOrders(dice, 5_000_000_000_000 + seed * 100_000, dayStart);
  const diaries = new Map(orders.map((order) => [order, createDiary(order)]));
  tellStories(dice, orders, (order) => diaries.get(order) as Diary);

  const chains = orders.map((order) => {
    const notices = diaries.get(order)?.notices ?? [];
    return notices.map((notice, index) =>
      toStep(notice, order.name, eventIdOf(seed, `${order.name}/${index}`)),
    );
  });
  const steps = addFlaws(dice, seed, mix(dice, addRepeats(dice, chains)));
  const ends = orders.map((order) => (diaries.get(order) as Diary).expected());
  return {
    orders,
    steps,
    expected: {
      sent: steps.length,
      accepted: chains.flat().length,
      duplicates: repeatsOfADay,
      rejected: flawsOfADay.length,
      tickets: ends.flatMap((end) => end.tickets),
      orders: ends.map((end) => end.order),
    },
  };
}

function toStep(notice: Notice, chain: string, eventId: string): Step {
  return { ...notice, chain, eventId, isRepeat: false, flaw: undefined };
}

/** The sender's retry of a request that was answered: same event, same body, some time after it. */
function addRepeats(dice: Dice, chains: readonly (readonly Step[])[]): readonly (readonly Step[])[] {
  const repeated = new Set(dice.shuffle(chains.flat()).slice(0, repeatsOfADay));
  return chains.map((chain) => {
    const longer: Step[] = [];
    const due: Step[] = [];
    for (const step of chain) {
      longer.push(step, ...due.splice(0));
      if (repeated.has(step)) due.push({ ...step, isRepeat: true });
    }
    return [...longer, ...due];
  });
}

/** All orders through one another; each order's own steps stay in their order. */
function mix(dice: Dice, chains: readonly (readonly Step[])[]): Step[] {
  const turns = dice.shuffle(chains.flatMap((chain, index) => chain.map(() => index)));
  const rest = chains.map((chain) => [...chain]);
  return turns.map((index) => rest[index]?.shift() as Step);
}

/** Requests that must be refused, somewhere in the middle. Each has an event id of its own, so that taking it in would show. */
function addFlaws(dice: Dice, seed: number, steps: readonly Step[]): readonly Step[] {
  const flawed = [...steps];
  for (const flaw of flawsOfADay) {
    const victim = dice.pick(steps);
    const step: Step = {
      ...victim,
      chain: flaw,
      eventId: eventIdOf(seed, flaw),
      isRepeat: false,
      flaw,
      body: flaw === "cut_off" ? victim.body.slice(0, victim.body.length / 2) : victim.body,
    };
    flawed.splice(dice.below(flawed.length), 0, step);
  }
  return flawed;
}

function eventIdOf(seed: number, what: string): string {
  const hex = createHash("sha256").update(`${seed}/${what}`).digest("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join(
    "-",
  );
}
