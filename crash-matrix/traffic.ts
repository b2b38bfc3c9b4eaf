import { createHmac } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { createDice } from "../demo/day/dice.ts";
import type { StubServer } from "../test/support/http-server.ts";
import { openStubServer } from "../test/support/http-server.ts";
import { misdelivered } from "../test/support/sender-faults.ts";
import type { Happening } from "./connector/shop/index.ts";
import { scheme } from "./connector/shop/index.ts";
import { shopSecret } from "./setting.ts";

/** What happens in the shop during one run: to some orders it tells by webhook, to others only when it is asked. */
export interface Traffic {
  /** How many events there are. */
  readonly events: number;
  /** By the key of the ticket, what it is to say in the end. */
  readonly expected: ReadonlyMap<string, readonly string[]>;
  /** Lists what happened to the polled orders, a few at a time; a part of it from the start, the rest as time goes by. */
  readonly shop: StubServer;
  /**
   * Sends all webhooks, those of one order one after the other, some of them twice, each until it is answered 2xx. `urlOf` says where
   * deskbridge is at that moment; empty while it is nowhere.
   */
  readonly send: (urlOf: () => string, signal: AbortSignal) => Promise<void>;
}

export interface TrafficShape {
  readonly hookedOrders: number;
  readonly polledOrders: number;
  readonly perOrder: number;
  /** The most time between two webhooks of one order, in milliseconds; 30 unless told. */
  readonly gapMs?: number;
}

const pageSize = 2;
const againMs = 40;

export async function openTraffic(seed: string, shape: TrafficShape): Promise<Traffic> {
  const dice = createDice(`traffic ${seed}`);
  const hooked = ordersOf("hooked", shape.hookedOrders, shape.perOrder);
  const polled = ordersOf("polled", shape.polledOrders, shape.perOrder);
  // Across orders in any order, within one by its number.
  const listed = dice.shuffle(polled.flatMap((order) => order.map(() => order))).map((order, index, all) => ({
    ...(order[all.slice(0, index).filter((one) => one === order).length] as Happening),
    number: index + 1,
  }));
  const openedAt = performance.now();
  const shop = await openStubServer(({ url }) => {
    const after = Number(url.searchParams.get("after"));
    const told = Math.floor(listed.length / 2) + Math.floor((performance.now() - openedAt) / 150);
    return { happenings: listed.slice(after, Math.min(told, after + pageSize)) };
  });
  const orders = [...hooked, ...polled];
  return {
    events: orders.flat().length,
    expected: new Map(
      orders.map((order) => [order[0]?.order ?? "", order.flatMap(({ text }) => [text, `note ${text}`])]),
    ),
    shop,
    send: async (urlOf, signal) => {
      await Promise.all(
        hooked.map(async (order) => {
          for (const happening of order) {
            const times = misdelivered(
              [happening],
              { duplicated: 0.2, reordered: 0 },
              `${seed} ${happening.text}`,
            );
            for (const one of times) await sendUntilTaken(one, urlOf, signal);
            await pause(dice.below(shape.gapMs ?? 30));
          }
        }),
      );
    },
  };
}

function ordersOf(name: string, orders: number, perOrder: number): readonly (readonly Happening[])[] {
  return Array.from({ length: orders }, (_, order) =>
    Array.from({ length: perOrder }, (_, index) => ({
      number: index + 1,
      order: `${name}-${order + 1}`,
      text: `${name}-${order + 1} number ${index + 1}`,
    })),
  );
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
