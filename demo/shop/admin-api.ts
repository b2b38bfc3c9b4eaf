import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { buildSchema, graphql } from "graphql";
import { gid, instant, money } from "../day/body.ts";
import type { ShopOrder } from "../day/order.ts";
import { adminSchema } from "./admin-schema.ts";

/** The imaginary shop's Admin API, over HTTP on the loopback: it knows who placed which order. */
export interface FakeShop {
  readonly url: string;
  readonly accessToken: string;
  /** The orders that it knows from now on. */
  readonly setOrders: (orders: readonly ShopOrder[]) => void;
  /** From now on nothing is answered, until the function returned is called. */
  readonly holdAnswers: () => () => void;
  readonly close: () => Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly body: object;
}

/** What the vendor tells of its rate limit with every answer; this shop is never short. */
const cost = {
  requestedQueryCost: 10,
  actualQueryCost: 10,
  throttleStatus: { maximumAvailable: 2000, currentlyAvailable: 1990, restoreRate: 100 },
};

export async function openFakeShop(): Promise<FakeShop> {
  const accessToken = `demo-${randomBytes(16).toString("hex")}`;
  const schema = buildSchema(adminSchema);
  let orders: ReadonlyMap<string, ShopOrder> = new Map();
  let answering = Promise.resolve();

  const answer = async (request: IncomingMessage, text: string): Promise<Answer> => {
    if (request.headers["x-shopify-access-token"] !== accessToken) {
      return { status: 401, body: { errors: "[API] Invalid API key or access token" } };
    }
    const { query, variables } = JSON.parse(text) as {
      readonly query: string;
      readonly variables?: Record<string, unknown>;
    };
    const result = await graphql({
      schema,
      source: query,
      variableValues: variables ?? {},
      rootValue: rootOf(orders),
    });
    return { status: 200, body: { ...result, extensions: { cost } } };
  };

  const server = createServer((request, response) => {
    void (async () => {
      const { status, body } = await answer(request, await textOf(request));
      await answering;
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    })().catch(() => response.destroy());
  }).listen(0, "127.0.0.1");
  await once(server, "listening");

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    accessToken,
    setOrders: (known) => {
      orders = new Map(known.flatMap((order) => idsOf(order).map((id) => [id, order])));
    },
    holdAnswers: () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      answering = promise;
      return resolve;
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

function idsOf(order: ShopOrder): readonly string[] {
  return [gid("Order", order.id), gid("FulfillmentOrder", order.fulfillmentOrderId)];
}

function rootOf(orders: ReadonlyMap<string, ShopOrder>): object {
  const read = ({ id }: { readonly id: string }): object | null => {
    const order = orders.get(id);
    if (order === undefined) return null;
    const node = orderNode(order);
    return id === gid("Order", order.id) ? node : { id, order: node };
  };
  return { order: read, fulfillmentOrder: read };
}

function orderNode(order: ShopOrder): object {
  const { customer } = order;
  const placedAt = instant(order.placedAt);
  return {
    id: gid("Order", order.id),
    name: order.name,
    createdAt: placedAt,
    updatedAt: placedAt,
    displayFinancialStatus: "PAID",
    displayFulfillmentStatus: "UNFULFILLED",
    email: customer.email,
    tags: [],
    totalPriceSet: { shopMoney: { amount: money(order.totalMinor), currencyCode: order.currency } },
    shippingAddress: {
      id: gid("MailingAddress", order.id),
      name: `${customer.firstName} ${customer.lastName}`,
      address1: "1 Example Street",
      city: order.city,
      zip: "10000",
    },
    customer: customerNode(order),
    fulfillments: [
      {
        id: gid("Fulfillment", order.fulfillmentId),
        trackingInfo: [{ company: "Example Parcel", number: `EX${order.fulfillmentId}` }],
      },
    ],
    lineItems: {
      nodes: order.items.map((item) => ({
        id: gid("LineItem", item.id),
        sku: item.sku,
        name: item.title,
        quantity: 1,
      })),
    },
  };
}

function customerNode({ customer, placedAt }: ShopOrder): object {
  return {
    id: gid("Customer", customer.id),
    firstName: customer.firstName,
    lastName: customer.lastName,
    locale: "en",
    numberOfOrders: "1",
    tags: customer.tags,
    createdAt: instant(placedAt),
    updatedAt: instant(placedAt),
    defaultEmailAddress: { emailAddress: customer.email },
  };
}
