import { AppError, createWindowedSource, parseMoney } from "deskbridge/sdk";
import type { EventInput, Source, SourceRecord, WindowPage, WindowRequest } from "deskbridge/sdk";
import type { AdminApi } from "./admin-api.ts";
import type { Config } from "./config.ts";
import { carrierEventType, hasFailed, identity, takesHold } from "./happening.ts";
import { orderFields, orderFromGraphql } from "./order.ts";
import type { OrderFacts } from "./order.ts";
import { idOf, known, list, lower, object, text, timeOf } from "./value.ts";
import type { Json } from "./value.ts";

/** Orders by time of change, with all in them that webhooks would have told. */
export const ordersQuery = /* GraphQL */ `
  query ChangedOrders($first: Int!, $after: String, $filter: String!) {
    orders(first: $first, after: $after, query: $filter, sortKey: UPDATED_AT) {
      pageInfo {
        hasNextPage
        endCursor
      }
      nodes {
        ...OrderFacts
        fulfillments(first: 5) {
          id
          status
          updatedAt
          trackingInfo(first: 1) {
            company
            number
            url
          }
          events(first: 5, sortKey: HAPPENED_AT, reverse: true) {
            nodes {
              id
              status
              message
              happenedAt
              createdAt
              estimatedDeliveryAt
            }
          }
        }
        fulfillmentOrders(first: 5) {
          nodes {
            id
            updatedAt
            fulfillmentHolds {
              id
              reason
              reasonNotes
            }
          }
        }
        refunds(first: 5) {
          id
          note
          createdAt
          totalRefundedSet {
            shopMoney {
              amount
              currencyCode
            }
          }
        }
      }
    }
  }
  ${orderFields}
`;

/** What happened longer than this before an order's last change is not told again: the ledger may have forgotten that it knew. */
const recentMs = 7 * 24 * 3600 * 1000;
const largestPage = 8;

/** Orders polled by windows of `updated_at`; what hooks dropped comes to light here. */
export function createOrderSource(api: AdminApi, settings: Config, now: () => number): Source {
  let pageSize = largestPage;
  return createWindowedSource({
    description: "orders with their fulfillments, carrier reports, holds and refunds",
    every: "5m",
    // The vendor's search index runs behind its data, by seconds as a rule.
    overlapMs: 5 * 60_000,
    lagMs: 10_000,
    // Paging ends at 25,000 objects.
    maxRecordsPerWindow: 20_000,
    now,
    fetchPage: async (request) => {
      for (;;) {
        try {
          return await fetchPage(api, settings, request, pageSize);
        } catch (error) {
          const tooDear = error instanceof AppError && error.details["vendorCode"] === "MAX_COST_EXCEEDED";
          if (!tooDear || pageSize === 1) throw error;
          pageSize = Math.ceil(pageSize / 2);
        }
      }
    },
  });
}

async function fetchPage(
  api: AdminApi,
  settings: Config,
  request: WindowRequest,
  first: number,
): Promise<WindowPage> {
  const filter = `updated_at:>='${request.from}' AND updated_at:<'${request.to}'`;
  const variables = { first, after: request.after ?? null, filter };
  const data = await api.query({
    document: ordersQuery,
    variables,
    reserve: settings.costReserve,
    signal: request.signal,
  });
  const orders = object(data["orders"]);
  const records = list(orders["nodes"]).map((node) => recordOf(object(node), settings));
  const { hasNextPage, endCursor } = object(orders["pageInfo"]);
  const after = hasNextPage === true ? text(endCursor) : undefined;
  return after === undefined ? { records } : { records, after };
}

function recordOf(node: Json, settings: Config): SourceRecord {
  const facts = orderFromGraphql(node, settings.shop);
  const time = text(node["updatedAt"]);
  if (facts === undefined || time === undefined) {
    throw new AppError("target_protocol", "An order of the list lacks its id or its time of change.");
  }
  const since = Date.parse(time) - recentMs;
  const events = happenings(node, facts, settings).filter((event) => Date.parse(event.time) >= since);
  return { time, id: facts.order.id, events: events.sort((a, b) => Date.parse(a.time) - Date.parse(b.time)) };
}

/** The events that the state of an order stands for. The raw node would repeat all that is in `data`, so it is left out. */
function happenings(node: Json, facts: OrderFacts, settings: Config): EventInput[] {
  return [
    ...orderEvents(facts),
    ...list(node["fulfillments"]).flatMap((one) => fulfillmentEvents(object(one), facts, settings)),
    ...list(object(node["fulfillmentOrders"])["nodes"]).flatMap((one) =>
      holdEvents(object(one), facts, settings),
    ),
    ...list(node["refunds"]).flatMap((one) => refundEvents(object(one), facts)),
  ];
}

function orderEvents(facts: OrderFacts): EventInput[] {
  const { order } = facts;
  const base = { subject: `order/${order.id}`, data: known({ ...facts }) };
  const events: EventInput[] = [];
  if (order.createdAt !== undefined) {
    events.push({
      ...base,
      id: identity.orderCreated(order.id),
      type: "order.created",
      time: order.createdAt,
    });
  }
  if (order.updatedAt !== undefined && order.updatedAt !== order.createdAt) {
    const id = identity.orderUpdated(order.id, order.updatedAt);
    events.push({ ...base, id, type: "order.updated", time: order.updatedAt });
  }
  if (order.cancelledAt !== undefined) {
    events.push({
      ...base,
      id: identity.orderCancelled(order.id),
      type: "order.cancelled",
      time: order.cancelledAt,
    });
  }
  return events;
}

function fulfillmentEvents(node: Json, facts: OrderFacts, settings: Config): EventInput[] {
  const id = idOf(node["id"]);
  const status = lower(node["status"]);
  if (id === undefined || status === undefined) return [];
  const [info] = list(node["trackingInfo"]).map(object);
  const tracking = {
    trackingNumber: text(info?.["number"]),
    trackingCompany: text(info?.["company"]),
    trackingUrl: text(info?.["url"]),
  };
  const reports = list(object(node["events"])["nodes"]).flatMap((one) =>
    reportEvents(object(one), id, tracking, facts, settings),
  );
  const happenedAt = timeOf(node["updatedAt"]);
  if (!hasFailed(settings, status) || happenedAt === undefined) return reports;
  const fulfillment = known({ id, status, happenedAt, ...tracking });
  const failed: EventInput = {
    id: identity.fulfillmentStatus(id, status),
    type: "fulfillment.failed",
    subject: `order/${facts.order.id}`,
    time: happenedAt,
    data: known({ fulfillment, ...facts }),
  };
  return [...reports, failed];
}

function reportEvents(
  node: Json,
  fulfillmentId: string,
  tracking: Json,
  facts: OrderFacts,
  settings: Config,
): EventInput[] {
  const report = idOf(node["id"]);
  const status = lower(node["status"]);
  const type = status === undefined ? undefined : carrierEventType(settings, status);
  const happenedAt = timeOf(node["happenedAt"]) ?? timeOf(node["createdAt"]);
  if (report === undefined || status === undefined || type === undefined || happenedAt === undefined)
    return [];
  const fulfillment = known({
    id: fulfillmentId,
    status,
    message: text(node["message"]),
    estimatedDeliveryAt: timeOf(node["estimatedDeliveryAt"]),
    happenedAt,
    ...tracking,
  });
  const data = known({ fulfillment, ...facts });
  return [
    { id: identity.carrierReport(report), type, subject: `order/${facts.order.id}`, time: happenedAt, data },
  ];
}

function holdEvents(node: Json, facts: OrderFacts, settings: Config): EventInput[] {
  const time = timeOf(node["updatedAt"]);
  return list(node["fulfillmentHolds"]).flatMap((one): EventInput[] => {
    const { id, reason, reasonNotes } = object(one);
    const holdId = idOf(id);
    const why = lower(reason);
    if (holdId === undefined || why === undefined || time === undefined || !takesHold(settings, why))
      return [];
    const hold = known({ id: holdId, reason: why, note: text(reasonNotes) });
    const data = known({ hold, ...facts });
    return [
      { id: identity.hold(holdId), type: "order.held", subject: `order/${facts.order.id}`, time, data },
    ];
  });
}

function refundEvents(node: Json, facts: OrderFacts): EventInput[] {
  const id = idOf(node["id"]);
  const time = timeOf(node["createdAt"]);
  if (id === undefined || time === undefined) return [];
  const total = object(object(node["totalRefundedSet"])["shopMoney"]);
  const refund = known({
    id,
    reason: text(node["note"]),
    amount: parseMoney(total["amount"], total["currencyCode"]),
  });
  const data = known({ refund, ...facts });
  return [
    { id: identity.refund(id), type: "refund.created", subject: `order/${facts.order.id}`, time, data },
  ];
}
