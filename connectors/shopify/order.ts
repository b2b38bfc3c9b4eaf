import { parseMoney, toE164 } from "deskbridge/sdk";
import type { Customer, Order } from "deskbridge/sdk";
import { idOf, known, list, lower, object, text, timeOf } from "./value.ts";
import type { Json } from "./value.ts";

/** An order with the customer who placed it, as far as they are known. */
export interface OrderFacts {
  readonly order: Order;
  readonly customer: Customer | undefined;
}

/** An order of which only the id is known yet; empty when not even that is. */
export function bareOrder(id: string | undefined): Order {
  return { id: id ?? "", tags: [], items: [] };
}

type OrderParts = { [K in keyof Order]?: Order[K] | undefined } & { id: string };
type CustomerParts = { [K in keyof Customer]?: Customer[K] | undefined } & { id: string };

function order(parts: OrderParts): Order {
  return known<Order>({ ...parts, tags: parts.tags ?? [], items: parts.items ?? [] });
}

/** The customer's name follows from first and last; who has no id of their own is named after the order. */
function customer(parts: CustomerParts): Customer {
  const name = parts.name ?? text([parts.firstName, parts.lastName].filter(Boolean).join(" "));
  return known<Customer>({ ...parts, name, tags: parts.tags ?? [] });
}

/** The order of a webhook body (REST form). Undefined when it has no id. */
export function orderFromRest(body: Json, shop: string): OrderFacts | undefined {
  const id = idOf(body["id"]) ?? idOf(body["admin_graphql_api_id"]);
  if (id === undefined) return undefined;
  const price = object(object(body["total_price_set"])["shop_money"]);
  const address = object(body["shipping_address"]);
  const country = text(address["country_code"]);
  const email = text(body["email"]) ?? text(body["contact_email"]);
  const phone = toE164(text(body["phone"]), country);
  return {
    order: order({
      id,
      name: text(body["name"]),
      status: statusOf(body["cancelled_at"], body["closed_at"]),
      financialStatus: lower(body["financial_status"]),
      fulfillmentStatus: fulfillmentStatus(body),
      email,
      phone,
      total:
        parseMoney(price["amount"], price["currency_code"]) ??
        parseMoney(body["total_price"], body["currency"]),
      tags: tagList(body["tags"]),
      note: text(body["note"]),
      cancelReason: lower(body["cancel_reason"]),
      url: adminUrl(shop, id),
      items: list(body["line_items"]).map((item) => itemOf(object(item))),
      shippingAddress: addressOf(address, "zip", "province_code", "country_code"),
      createdAt: timeOf(body["created_at"]),
      updatedAt: timeOf(body["updated_at"]),
      cancelledAt: timeOf(body["cancelled_at"]),
    }),
    customer: customerOfOrder(customerFromRest(object(body["customer"])), {
      id,
      email,
      phone,
      address,
      body,
    }),
  };
}

interface Buyer {
  readonly id: string;
  readonly email: string | undefined;
  readonly phone: string | undefined;
  readonly address: Json;
  readonly body: Json;
}

// An account may lack the address that the buyer gave for this order; a guest has no account at all.
function customerOfOrder(account: Customer | undefined, buyer: Buyer): Customer | undefined {
  const { email, phone } = buyer;
  if (account === undefined && email === undefined && phone === undefined) return undefined;
  const locale = text(buyer.body["customer_locale"]) ?? text(buyer.body["customerLocale"]);
  const name = text(buyer.address["name"]);
  return customer({
    ...known<Partial<Customer>>({ email, phone, name, locale }),
    ...account,
    id: account?.id ?? `guest-${buyer.id}`,
  });
}

/** The customer of a webhook body (REST form). Undefined when it has no id. */
export function customerFromRest(body: Json): Customer | undefined {
  const id = idOf(body["id"]) ?? idOf(body["admin_graphql_api_id"]);
  if (id === undefined) return undefined;
  const country = text(object(body["default_address"])["country_code"]);
  const count = body["orders_count"];
  return customer({
    id,
    email: text(body["email"]),
    phone: toE164(text(body["phone"]), country),
    firstName: text(body["first_name"]),
    lastName: text(body["last_name"]),
    ordersCount: typeof count === "number" ? count : undefined,
    tags: tagList(body["tags"]),
    createdAt: timeOf(body["created_at"]),
    updatedAt: timeOf(body["updated_at"]),
  });
}

/** The fields of an order that both reads ask for; `orderFromGraphql` understands the answer. */
export const orderFields = /* GraphQL */ `
  fragment OrderFacts on Order {
    id
    name
    createdAt
    updatedAt
    cancelledAt
    closedAt
    cancelReason
    displayFinancialStatus
    displayFulfillmentStatus
    email
    phone
    note
    tags
    customerLocale
    totalPriceSet {
      shopMoney {
        amount
        currencyCode
      }
    }
    shippingAddress {
      name
      address1
      address2
      city
      provinceCode
      zip
      countryCodeV2
      phone
    }
    customer {
      id
      firstName
      lastName
      locale
      numberOfOrders
      tags
      createdAt
      updatedAt
      defaultEmailAddress {
        emailAddress
      }
      defaultPhoneNumber {
        phoneNumber
      }
    }
    lineItems(first: 20) {
      nodes {
        id
        sku
        name
        quantity
      }
    }
  }
`;

/** The order of a GraphQL answer that asked for `orderFields`. Undefined when it has no id. */
export function orderFromGraphql(node: Json, shop: string): OrderFacts | undefined {
  const id = idOf(node["id"]);
  if (id === undefined) return undefined;
  const price = object(object(node["totalPriceSet"])["shopMoney"]);
  const address = object(node["shippingAddress"]);
  const email = text(node["email"]);
  const phone = toE164(text(node["phone"]), text(address["countryCodeV2"]));
  return {
    order: order({
      id,
      name: text(node["name"]),
      status: statusOf(node["cancelledAt"], node["closedAt"]),
      financialStatus: lower(node["displayFinancialStatus"]),
      fulfillmentStatus: lower(node["displayFulfillmentStatus"]),
      email,
      phone,
      total: parseMoney(price["amount"], price["currencyCode"]),
      tags: tagList(node["tags"]),
      note: text(node["note"]),
      cancelReason: lower(node["cancelReason"]),
      url: adminUrl(shop, id),
      items: list(object(node["lineItems"])["nodes"]).map((item) => itemOf(object(item))),
      shippingAddress: addressOf(address, "zip", "provinceCode", "countryCodeV2"),
      createdAt: timeOf(node["createdAt"]),
      updatedAt: timeOf(node["updatedAt"]),
      cancelledAt: timeOf(node["cancelledAt"]),
    }),
    customer: customerOfOrder(customerFromGraphql(object(node["customer"])), {
      id,
      email,
      phone,
      address,
      body: node,
    }),
  };
}

function customerFromGraphql(node: Json): Customer | undefined {
  const id = idOf(node["id"]);
  if (id === undefined) return undefined;
  const count = Number(node["numberOfOrders"] ?? Number.NaN);
  return customer({
    id,
    email: text(object(node["defaultEmailAddress"])["emailAddress"]),
    phone: toE164(text(object(node["defaultPhoneNumber"])["phoneNumber"])),
    firstName: text(node["firstName"]),
    lastName: text(node["lastName"]),
    locale: text(node["locale"]),
    ordersCount: Number.isSafeInteger(count) ? count : undefined,
    tags: tagList(node["tags"]),
    createdAt: timeOf(node["createdAt"]),
    updatedAt: timeOf(node["updatedAt"]),
  });
}

function statusOf(cancelledAt: unknown, closedAt: unknown): string {
  if (text(cancelledAt) !== undefined) return "cancelled";
  return text(closedAt) === undefined ? "open" : "closed";
}

// The REST form says null and `partial` where GraphQL says UNFULFILLED and PARTIALLY_FULFILLED.
function fulfillmentStatus(body: Json): string | undefined {
  if (!Object.hasOwn(body, "fulfillment_status")) return undefined;
  const status = lower(body["fulfillment_status"]) ?? "unfulfilled";
  return status === "partial" ? "partially_fulfilled" : status;
}

// Not the order's status page: its address lets anyone in who has it.
function adminUrl(shop: string, id: string): string {
  return `https://${shop}/admin/orders/${id}`;
}

function itemOf(item: Json): Order["items"][number] {
  const quantity = item["quantity"];
  return known<Order["items"][number]>({
    id: idOf(item["id"]),
    sku: text(item["sku"]),
    title: text(item["name"]) ?? text(item["title"]) ?? "",
    quantity: typeof quantity === "number" && Number.isSafeInteger(quantity) ? quantity : 0,
  });
}

function addressOf(
  address: Json,
  zip: string,
  province: string,
  country: string,
): Order["shippingAddress"] | undefined {
  const facts = known<NonNullable<Order["shippingAddress"]>>({
    name: text(address["name"]),
    line1: text(address["address1"]),
    line2: text(address["address2"]),
    city: text(address["city"]),
    region: text(address[province]),
    postalCode: text(address[zip]),
    country: text(address[country]),
    phone: text(address["phone"]),
  });
  return Object.keys(facts).length === 0 ? undefined : facts;
}

function tagList(tags: unknown): string[] {
  const parts = typeof tags === "string" ? tags.split(",") : list(tags);
  return parts.flatMap((tag) => text(tag) ?? []);
}
