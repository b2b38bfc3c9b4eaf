import { LRUCache } from "lru-cache";
import { AppError } from "deskbridge/sdk";
import type { Enricher, Event } from "deskbridge/sdk";
import type { AdminApi } from "./admin-api.ts";
import type { Config } from "./config.ts";
import { orderFields, orderFromGraphql } from "./order.ts";
import type { OrderFacts } from "./order.ts";
import { idOf, known, list, object, text } from "./value.ts";
import type { Json } from "./value.ts";

const fulfillmentFields = /* GraphQL */ `
  fragment Tracking on Order {
    fulfillments(first: 10) {
      id
      trackingInfo(first: 1) {
        company
        number
        url
      }
    }
  }
`;

/** Reads the order that an event names. */
export const orderQuery = /* GraphQL */ `
  query OrderOfEvent($id: ID!) {
    order(id: $id) {
      ...OrderFacts
      ...Tracking
    }
  }
  ${orderFields}
  ${fulfillmentFields}
`;

/** Reads the order behind a fulfillment order: hooks about holds name nothing else. */
export const fulfillmentOrderQuery = /* GraphQL */ `
  query OrderOfFulfillmentOrder($id: ID!) {
    fulfillmentOrder(id: $id) {
      order {
        ...OrderFacts
        ...Tracking
      }
    }
  }
  ${orderFields}
  ${fulfillmentFields}
`;

interface Fetched extends OrderFacts {
  readonly tracking: ReadonlyMap<string, Json>;
}

/** An order is taken from memory for so long; a burst of events about it then costs one read. */
const freshMs = 30_000;

/**
 * Completes events that name their order only by its id, or only by a fulfillment order: one read for the order, its customer and
 * tracking. Events that carry a whole order are left as they are. An order that cannot be read is `target_not_found`.
 */
export function createEnricher(api: AdminApi, settings: Config, now: () => number): Enricher {
  const cache = new LRUCache<string, Promise<Fetched>>({ max: 1000, ttl: freshMs, perf: { now } });
  // The read is shared by all who wait for it, so it ends by its own time limit and not when one of them gives up.
  const shared = (subject: string): Promise<Fetched> => {
    const running = cache.get(subject);
    if (running !== undefined) return running;
    const read = fetchOrder(api, settings, subject);
    cache.set(subject, read);
    read.catch(() => cache.delete(subject));
    return read;
  };
  return async (event, signal) => {
    if (!isThin(event)) return event;
    return completed(event, await unlessAborted(shared(event.subject), signal));
  };
}

function isThin(event: Event): boolean {
  const { order } = event.data as { readonly order?: { readonly name?: string } };
  return (
    order !== undefined && order.name === undefined && /^(order|fulfillment_order)\//.test(event.subject)
  );
}

async function fetchOrder(api: AdminApi, settings: Config, subject: string): Promise<Fetched> {
  const [kind, id] = subject.split("/");
  const { signal } = new AbortController();
  const data =
    kind === "order"
      ? await api.query({ document: orderQuery, variables: { id: `gid://shopify/Order/${id}` }, signal })
      : object(
          (
            await api.query({
              document: fulfillmentOrderQuery,
              variables: { id: `gid://shopify/FulfillmentOrder/${id}` },
              signal,
            })
          )["fulfillmentOrder"],
        );
  const node = object(data["order"]);
  const facts = orderFromGraphql(node, settings.shop);
  if (facts === undefined) {
    throw new AppError(
      "target_not_found",
      `The shop shows no order for ${subject}: it was deleted, or it is older than the app may see (scope read_all_orders).`,
      { details: { subject } },
    );
  }
  const tracking = list(node["fulfillments"])
    .map(object)
    .map((one) => [idOf(one["id"]) ?? "", trackingOf(one)] as const);
  return { ...facts, tracking: new Map(tracking) };
}

function trackingOf(fulfillment: Json): Json {
  const [info] = list(fulfillment["trackingInfo"]).map(object);
  return known({
    trackingNumber: text(info?.["number"]),
    trackingCompany: text(info?.["company"]),
    trackingUrl: text(info?.["url"]),
  });
}

function completed(event: Event, { order, customer, tracking }: Fetched): Event {
  const data = event.data as Json;
  const { fulfillment } = data as { readonly fulfillment?: { readonly id: string } };
  const found = fulfillment === undefined ? undefined : { ...tracking.get(fulfillment.id), ...fulfillment };
  return { ...event, data: known({ ...data, fulfillment: found, order, customer }) };
}

async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason as Error);
  signal.addEventListener("abort", onAbort);
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
