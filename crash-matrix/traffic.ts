import { createHmac } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { createDice } from "../demo/day/dice.ts";
import type { StubServer } from "../test/support/http-server.ts";
import { openStubServer } from "../test/support/http-server.ts";
import { misdelivered } from "../test/support/sender-faults.ts";
import type { Happening } from "./connector/shop/index.ts";
import { scheme } from "./connector/shop/index.ts";
import { shopSecret } from "./setting.ts";

/**
 * What happens in the shop during one run: to some orders it tells by webhook, to others only when it is asked. It goes on beyond what its shape
 * says until `end`, so that what befalls deskbridge never comes when everything is over.
 */
export interface Traffic {
  /** How many events there are so far. */
  readonly events: () => number;
  /** By the key of the ticket, what it is to say in the end, so far. */
  readonly expected: () => ReadonlyMap<string, readonly string[]>;
  /** Lists what happened to the polled orders, a few at a time; a part of it from the start, the rest as time goes by. */
  readonly shop: StubServer;
  /**
   * Sends all webhooks, those of one order one after the other, some of them twice, each until it is answered 2xx. `urlOf` says where
   * deskbridge is at that moment; empty while it is nowhere.
   */
  readonly send: (urlOf: () => string, signal: AbortSignal) => Promise<void>;
  /** Nothing happens any more beyond what the shape says. */
  readonly end: () => void;
}

export interface TrafficShape {
  readonly hookedOrders: number;
  readonly polledOrders: number;
  /** At least so many events an order. */
  readonly perOrder: number;
  /** The most time between two webhooks of one order, in milliseconds; 30 unless told. */
  readonly gapMs?: number;
}

const pageSize = 2;
const againMs = 40;
/** Between two polled events of the shape, and between two after that, and two webhooks of an order then. */
const listedEveryMs = 150;
const moreEveryMs = 500;
/** Of one order; a run whose fault has not come by then shows nothing. */
const mostPerOrder = 400;

/** `onTaken` hears of every webhook that was answered 2xx. */
export async function openTraffic(seed: string, shape: TrafficShape, onTaken: () => void): Promise<Traffic> {
  const told = new Map<string, Happening[]>();
  const happen = (order: string, number?: number): Happening => {
    const own = told.get(order) ?? [];
    told.set(order, own);
    const text = `${order} number ${own.length + 1}`;
    own.push({ number: number ?? own.length + 1, order, text });
    return own[own.length - 1] as Happening;
  };
  const clock = createClock();
  const listing = createListing(seed, shape, clock.now, happen);
  const shop = await openStubServer(({ url }) => {
    const after = Number(url.searchParams.get("after"));
    return { happenings: listing.sofar().slice(after, after + pageSize) };
  });
  return {
    events: () => {
      listing.all();
      return [...told.values()].reduce((sum, own) => sum + own.length, 0);
    },
    expected: () => {
      listing.all();
      return new Map(
        [...told].map(([order, own]) => [order, own.flatMap(({ text }) => [text, `note ${text}`])]),
      );
    },
    shop,
    end: clock.stop,
    send: async (urlOf, signal) => {
      const send = async (order: string): Promise<void> => {
        const dice = createDice(`traffic ${seed} ${order}`);
        const { perOrder, gapMs = 30 } = shape;
        const goesOn = (sent: number): boolean =>
          sent < perOrder || (!clock.stopped() && sent < mostPerOrder);
        for (let sent = 0; goesOn(sent) && !signal.aborted; sent += 1) {
          const happening = happen(order);
          const faults = { duplicated: 0.2, reordered: 0 };
          for (const one of misdelivered([happening], faults, `${seed} ${happening.text}`)) {
            await sendUntilTaken(one, urlOf, signal);
            onTaken();
          }
          await pause(dice.below(sent < perOrder ? gapMs : Math.max(gapMs, moreEveryMs)));
        }
      };
      await Promise.all(ordersOf("hooked", shape.hookedOrders).map(send));
    },
  };
}

function ordersOf(kind: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `${kind}-${index + 1}`);
}

/** The time since the traffic began, which stands still once it is stopped. */
function createClock() {
  const openedAt = performance.now();
  let stoppedAt: number | undefined;
  return {
    now: () => ({
      sinceMs: performance.now() - openedAt,
      goingMs: (stoppedAt ?? performance.now()) - openedAt,
    }),
    stop: () => void (stoppedAt ??= performance.now()),
    stopped: () => stoppedAt !== undefined,
  };
}

/** What the shop lists: across orders in any order, within one by its number. */
interface Listing {
  /** What it tells by now. */
  readonly sofar: () => readonly Happening[];
  /** With what it is certain to tell later. */
  readonly all: () => readonly Happening[];
}

function createListing(
  seed: string,
  { polledOrders, perOrder }: TrafficShape,
  now: ReturnType<typeof createClock>["now"],
  happen: (order: string, number: number) => Happening,
): Listing {
  const dice = createDice(`listing ${seed}`);
  const orders = ordersOf("polled", polledOrders);
  const planned = dice.shuffle(orders.flatMap((order) => Array.from({ length: perOrder }, () => order)));
  const half = Math.floor(planned.length / 2);
  const plannedMs = (planned.length - half) * listedEveryMs;
  const listed: Happening[] = [];
  const upTo = (ofShape: number): readonly Happening[] => {
    const more = Math.floor(Math.max(0, now().goingMs - plannedMs) / moreEveryMs);
    const count = Math.min(mostPerOrder * polledOrders, ofShape + more);
    while (listed.length < count) {
      const order = planned[listed.length] ?? dice.pick(orders);
      listed.push(happen(order, listed.length + 1));
    }
    return listed.slice(0, count);
  };
  return {
    sofar: () => upTo(Math.min(planned.length, half + Math.floor(now().sinceMs / listedEveryMs))),
    all: () => upTo(planned.length),
  };
}

async function sendUntilTaken(happening: Happening, urlOf: () => string, signal: AbortSignal): Promise<void> {
  const body = JSON.stringify(happening);
  const signature = createHmac("sha256", shopSecret).update(body).digest("hex");
  while (!signal.aborted) {
    const url = urlOf();
    const taken = url === "" ? false : await post(`${url}/hooks/shop`, body, signature);
    if (taken) return;
    await pause(againMs);
  }
}

async function post(url: string, body: string, signature: string): Promise<boolean> {
  try {
    const answer = await fetch(url, {
      method: "POST",
      body,
      headers: { [scheme.header]: signature },
      signal: AbortSignal.timeout(5000),
    });
    await answer.arrayBuffer();
    return answer.ok;
  } catch {
    return false;
  }
}
