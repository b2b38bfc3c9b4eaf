import type { ServerResponse } from "node:http";
import { graphqlSync } from "graphql";
import { openStubServer } from "./http-server.ts";
import type { StubRequest, StubServer } from "./http-server.ts";
import { createStubSchema } from "./shopify-schema.ts";

/** What a test says of an order; the rest is filled in. Times are milliseconds since the epoch. */
export interface StubOrder {
  readonly id: number;
  readonly createdAt?: number;
  readonly updatedAt: number;
  readonly cancelledAt?: number;
  readonly cancelReason?: string;
  readonly email?: string | null;
  readonly total?: string;
  readonly currency?: string;
  readonly customer?: object | null;
  readonly fulfillments?: readonly StubFulfillment[];
  readonly holds?: readonly { readonly id: number; readonly reason: string; readonly note?: string }[];
  readonly fulfillmentOrderId?: number;
  readonly refunds?: readonly { readonly id: number; readonly amount: string; readonly at: number }[];
}

export interface StubFulfillment {
  readonly id: number;
  readonly status: string;
  readonly updatedAt: number;
  readonly tracking?: string;
  readonly reports?: readonly {
    readonly id: number;
    readonly status: string;
    readonly message?: string;
    readonly at: number;
  }[];
}

/** The vendor's bucket of points; `available` is the test's to set. */
export interface StubPoints {
  available: number;
  maximum: number;
  restoreRate: number;
  /** What each query is said to cost; a query that costs more than the maximum is refused as too dear. */
  cost: (variables: Readonly<Record<string, unknown>>) => number;
}

export interface ShopifyStub extends StubServer {
  readonly shop: string;
  readonly orders: Map<number, StubOrder>;
  /** Access tokens that are accepted; the token request adds one. */
  readonly tokens: Set<string>;
  readonly points: StubPoints;
  readonly scopes: string[];
  readonly subscriptions: string[];
  /** Names of the operations asked for, and `token` for a token request, in order. */
  readonly asked: string[];
  /** Answers of the next requests, before anything else is looked at. */
  readonly scripted: ((response: ServerResponse) => void)[];
  readonly clientSecret: string;
}

/** The Admin GraphQL API of a shop in memory, over real HTTP. Restores no points by itself: time is the test's. */
export async function openShopifyStub(): Promise<ShopifyStub> {
  const state = {
    shop: "acme.myshopify.com",
    orders: new Map<number, StubOrder>(),
    tokens: new Set(["shpat_good"]),
    points: { available: 2000, maximum: 2000, restoreRate: 100, cost: () => 10 } as StubPoints,
    scopes: ["read_orders", "read_customers", "read_merchant_managed_fulfillment_orders"],
    subscriptions: ["FULFILLMENT_EVENTS_CREATE", "ORDERS_UPDATED"],
    asked: [] as string[],
    scripted: [] as ((response: ServerResponse) => void)[],
    clientSecret: "hush",
  };
  const schema = createStubSchema();
  const server = await openStubServer((request, response) => {
    const scripted = state.scripted.shift();
    if (scripted !== undefined) {
      scripted(response);
      return undefined;
    }
    if (request.url.pathname === "/admin/oauth/access_token") return grantToken(state, request, response);
    if (!state.tokens.has(String(request.headers["x-shopify-access-token"]))) {
      response.writeHead(401).end('{"errors":"[API] Invalid API key or access token"}');
      return undefined;
    }
    const { query, variables } = JSON.parse(request.text) as {
      query: string;
      variables: Record<string, unknown>;
    };
    state.asked.push(/query (\w+)/.exec(query)?.[1] ?? "unnamed");
    const cost = state.points.cost(variables);
    const refused = refusal(state.points, cost);
    if (refused !== undefined) return refused;
    state.points.available -= cost;
    const result = graphqlSync({
      schema,
      source: query,
      rootValue: rootOf(state),
      variableValues: variables,
    });
    return { ...result, extensions: costOf(state.points, cost) };
  });
  return { ...state, ...server };
}

type State = Omit<ShopifyStub, keyof StubServer>;

function grantToken(state: State, request: StubRequest, response: ServerResponse): unknown {
  state.asked.push("token");
  const body = JSON.parse(request.text) as Record<string, string>;
  if (body["client_secret"] !== state.clientSecret || body["grant_type"] !== "client_credentials") {
    response.writeHead(400).end('{"error":"invalid_client"}');
    return undefined;
  }
  const token = `shpat_granted_${state.asked.length}`;
  state.tokens.add(token);
  return { access_token: token, scope: state.scopes.join(","), expires_in: 86_399 };
}

function refusal(points: StubPoints, cost: number): object | undefined {
  const error = (code: string): object => ({
    errors: [{ message: code.toLowerCase(), extensions: { code } }],
    extensions: costOf(points, cost),
  });
  if (cost > points.maximum) return error("MAX_COST_EXCEEDED");
  return cost > points.available ? error("THROTTLED") : undefined;
}

function costOf(points: StubPoints, cost: number): object {
  const throttleStatus = {
    maximumAvailable: points.maximum,
    currentlyAvailable: points.available,
    restoreRate: points.restoreRate,
  };
  return { cost: { requestedQueryCost: cost, actualQueryCost: cost, throttleStatus } };
}

function rootOf(state: State): object {
  const byUpdate = (): StubOrder[] =>
    [...state.orders.values()].sort((a, b) => a.updatedAt - b.updatedAt || a.id - b.id);
  return {
    order: ({ id }: { id: string }) => {
      const found = state.orders.get(Number(id.split("/").at(-1)));
      return found === undefined ? null : orderNode(found);
    },
    fulfillmentOrder: ({ id }: { id: string }) => {
      const found = byUpdate().find((one) => fulfillmentOrderId(one) === Number(id.split("/").at(-1)));
      return found === undefined ? null : { id, order: orderNode(found) };
    },
    orders: ({ first, after, query }: { first: number; after?: string | null; query: string }) => {
      const [, from = "", to = ""] = /^updated_at:>='([^']+)' AND updated_at:<'([^']+)'$/.exec(query) ?? [];
      const matching = byUpdate().filter(
        (one) => one.updatedAt >= Date.parse(from) && one.updatedAt < Date.parse(to),
      );
      const start = after === undefined || after === null ? 0 : Number(after);
      const end = start + first;
      const pageInfo = { hasNextPage: matching.length > end, endCursor: String(end) };
      return { nodes: matching.slice(start, end).map(orderNode), pageInfo };
    },
    shop: { name: "Acme", myshopifyDomain: state.shop },
    currentAppInstallation: { accessScopes: state.scopes.map((handle) => ({ handle })) },
    publicApiVersions: [
      { handle: "2026-07", supported: true },
      { handle: "2024-01", supported: false },
    ],
    webhookSubscriptions: {
      nodes: state.subscriptions.map((topic) => ({ topic, uri: "https://hooks.example" })),
    },
  };
}

// The vendor keeps whole seconds.
const seconds = (at: number): string => `${new Date(at).toISOString().slice(0, 19)}Z`;
const fulfillmentOrderId = (one: StubOrder): number => one.fulfillmentOrderId ?? one.id + 900_000;

function orderNode(one: StubOrder): object {
  const money = (amount: string): object => ({ shopMoney: { amount, currencyCode: one.currency ?? "USD" } });
  const createdAt = one.createdAt ?? one.updatedAt;
  return {
    id: `gid://shopify/Order/${one.id}`,
    name: `#${one.id}`,
    createdAt: seconds(createdAt),
    updatedAt: seconds(one.updatedAt),
    cancelledAt: one.cancelledAt === undefined ? null : seconds(one.cancelledAt),
    cancelReason: one.cancelReason ?? null,
    displayFinancialStatus: "PAID",
    displayFulfillmentStatus: "UNFULFILLED",
    email: one.email === undefined ? "ada@example.com" : one.email,
    tags: ["vip"],
    customerLocale: "en",
    totalPriceSet: money(one.total ?? "59.90"),
    shippingAddress: {
      name: "Ada Example",
      city: "Ottawa",
      provinceCode: "ON",
      countryCodeV2: "CA",
      zip: "K2P 2L8",
    },
    customer: one.customer === undefined ? customerNode(createdAt) : one.customer,
    lineItems: { nodes: [{ id: "gid://shopify/LineItem/5", sku: "LAMP", name: "Lamp - blue", quantity: 2 }] },
    fulfillments: (one.fulfillments ?? []).map(fulfillmentNode),
    fulfillmentOrders: {
      nodes: [
        {
          id: `gid://shopify/FulfillmentOrder/${fulfillmentOrderId(one)}`,
          updatedAt: seconds(one.updatedAt),
          fulfillmentHolds: (one.holds ?? []).map((hold) => ({
            id: `gid://shopify/FulfillmentHold/${hold.id}`,
            reason: hold.reason,
            reasonNotes: hold.note ?? null,
          })),
        },
      ],
    },
    refunds: (one.refunds ?? []).map((refund) => ({
      id: `gid://shopify/Refund/${refund.id}`,
      createdAt: seconds(refund.at),
      totalRefundedSet: money(refund.amount),
    })),
  };
}

function customerNode(createdAt: number): object {
  return {
    id: "gid://shopify/Customer/77",
    firstName: "Ada",
    lastName: "Example",
    locale: "en",
    numberOfOrders: "3",
    tags: ["wholesale"],
    createdAt: seconds(createdAt),
    updatedAt: seconds(createdAt),
    defaultEmailAddress: { emailAddress: "ada@example.com" },
    defaultPhoneNumber: { phoneNumber: "+15024592181" },
  };
}

function fulfillmentNode(one: StubFulfillment): object {
  return {
    id: `gid://shopify/Fulfillment/${one.id}`,
    status: one.status,
    updatedAt: seconds(one.updatedAt),
    trackingInfo: one.tracking === undefined ? [] : [{ company: "UPS", number: one.tracking, url: null }],
    events: {
      nodes: (one.reports ?? []).map((report) => ({
        id: `gid://shopify/FulfillmentEvent/${report.id}`,
        status: report.status,
        message: report.message ?? null,
        happenedAt: seconds(report.at),
        createdAt: seconds(report.at),
      })),
    },
  };
}
