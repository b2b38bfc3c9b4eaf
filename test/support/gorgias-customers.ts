import { list, object, pageOf, refuse, text } from "./gorgias-answer.ts";
import type { GorgiasAnswer, GorgiasCall, Json } from "./gorgias-answer.ts";
import type { GorgiasState, StubCustomer } from "./gorgias-state.ts";

/** Calls below `/api/customers`. */
export function answerCustomers(call: GorgiasCall): GorgiasAnswer {
  const { method, parts, state, body } = call;
  const [, id] = parts;
  if (id === undefined && method === "GET") return listCustomers(call);
  if (id === undefined && method === "POST") {
    const taken = addressTaken(state, body, undefined);
    if (taken) return refuse(409, "Customer with this channel already exists");
    return { status: 201, body: createCustomer(state, body) };
  }
  const customer = state.customers.get(Number(id));
  if (customer === undefined) return refuse(404, "Customer not found");
  if (method === "GET") return { status: 200, body: customer };
  if (method !== "PUT") return refuse(405, "Method not allowed");
  if (addressTaken(state, body, customer)) return refuse(409, "Customer with this channel already exists");
  changeCustomer(customer, body);
  customer.updated_datetime = state.timestamp();
  return { status: 202, body: customer };
}

/** The customer that a ticket or a message names: by id, by e-mail address, or made anew. */
export function customerOf(state: GorgiasState, named: unknown): StubCustomer {
  const { id, email, name } = object(named);
  const all = [...state.customers.values()];
  const found = all.find((one) => one.id === id) ?? all.find((one) => hasAddress(one, "email", text(email)));
  return found ?? createCustomer(state, { email, name });
}

export function createCustomer(
  state: GorgiasState,
  { email, name, external_id, channels }: Json,
): StubCustomer {
  const time = state.timestamp();
  const customer: StubCustomer = {
    id: state.newId(),
    created_datetime: time,
    updated_datetime: time,
    email: text(email),
    name: text(name),
    external_id: text(external_id),
    channels: channelsOf(channels),
  };
  ensureEmailChannel(customer);
  state.customers.set(customer.id, customer);
  return customer;
}

function listCustomers(call: GorgiasCall): GorgiasAnswer {
  const { query, state, behaviour } = call;
  const [email, externalId] = [query.get("email"), query.get("external_id")];
  const [type, address] = [query.get("channel_type"), query.get("channel_address")];
  const rows = [...state.customers.values()].filter(
    (one) =>
      (email === null || one.email?.toLowerCase() === email.toLowerCase()) &&
      (externalId === null || one.external_id === externalId) &&
      (type === null || hasAddress(one, type, address)),
  );
  const isByChange = behaviour.ordersCustomers && query.get("order_by") === "updated_datetime:desc";
  return pageOf(call, rows, (one) => (isByChange ? one.updated_datetime : String(one.id).padStart(9, "0")));
}

// Gorgias replaces the list of channels with the one that is sent.
function changeCustomer(customer: StubCustomer, body: Json): void {
  if ("name" in body) customer.name = text(body["name"]);
  if ("email" in body) customer.email = text(body["email"]);
  if ("external_id" in body) customer.external_id = text(body["external_id"]);
  if ("channels" in body) customer.channels = channelsOf(body["channels"]);
  ensureEmailChannel(customer);
}

function ensureEmailChannel(customer: StubCustomer): void {
  const { email, channels } = customer;
  if (email === null || hasAddress({ ...customer, email: null }, "email", email)) return;
  channels.push({ type: "email", address: email, preferred: true });
}

function channelsOf(value: unknown): StubCustomer["channels"] {
  return list(value).map(({ type, address, preferred }) => ({
    type: String(type),
    address: String(address),
    preferred: preferred === true,
  }));
}

function addressTaken(state: GorgiasState, body: Json, self: StubCustomer | undefined): boolean {
  const asked = [...channelsOf(body["channels"]), { type: "email", address: text(body["email"]) }];
  return [...state.customers.values()].some(
    (one) => one !== self && asked.some(({ type, address }) => hasAddress(one, type, address)),
  );
}

function hasAddress({ email, channels }: StubCustomer, type: string, address: string | null): boolean {
  if (address === null) return false;
  const wanted = address.toLowerCase();
  if (type === "email" && email?.toLowerCase() === wanted) return true;
  return channels.some((one) => one.type === type && one.address.toLowerCase() === wanted);
}
