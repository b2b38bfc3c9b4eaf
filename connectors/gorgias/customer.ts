import { AppError } from "deskbridge/sdk";
import type { HttpRequest, OperationInput } from "deskbridge/sdk";
import type { GorgiasApi } from "./api.ts";
import { customer, parseAnswer } from "./object.ts";
import type { Customer } from "./object.ts";

/** What a person may be known by. */
export type Person = Pick<OperationInput<"contact.upsert">, "email" | "phone" | "externalId" | "name">;

type Json = Readonly<Record<string, unknown>>;

/** The account's customers. Which of them a person is, is never decided by an address that the person contradicts. */
export interface Customers {
  /** The one customer that the person is; undefined when there is none. Throws `target_rejected` for several, or for one with another external id. */
  readonly match: (person: Person, signal: AbortSignal) => Promise<Customer | undefined>;
  /** Who has an address or the external id of the person's, whoever it is; asked after Gorgias refused it to a new customer. */
  readonly holder: (person: Person, signal: AbortSignal) => Promise<Customer | undefined>;
  /** All customers that have something of the person's. */
  readonly like: (person: Person, signal: AbortSignal) => Promise<readonly Customer[]>;
  /** The customer now; undefined when it was deleted, or merged into another. */
  readonly read: (id: string, signal: AbortSignal) => Promise<Customer | undefined>;
  /** Throws `target_conflict` when an address is taken. */
  readonly create: (person: Person, signal: AbortSignal) => Promise<Customer>;
}

export function createCustomers(api: GorgiasApi): Customers {
  const search = createSearch(api);
  const like: Customers["like"] = async (person, signal) =>
    unique([
      ...(await search.byExternalId(person, signal)),
      ...(await search.byEmail(person, signal)),
      ...(await search.byPhone(person, signal)),
    ]);
  return {
    match: async (person, signal) => {
      const identified = only(await search.byExternalId(person, signal), "external id");
      if (identified !== undefined) return identified;
      const addressed = only(await search.byEmail(person, signal), "e-mail address");
      if (addressed !== undefined && contradicts(addressed, person)) throw conflict(addressed);
      if (addressed !== undefined) return addressed;
      const called = (await search.byPhone(person, signal)).filter((one) => !contradicts(one, person));
      return only(called, "phone number");
    },
    holder: async (person, signal) => {
      const { email } = person;
      // An address may be one of several, which the list by e-mail address does not show.
      const addressed = email === undefined ? [] : await search.byChannel("email", email, signal);
      const holders = unique([...addressed, ...(await like(person, signal))]);
      const [first] = holders;
      const own = holders.filter((one) => !contradicts(one, person));
      if (own.length > 0 || first === undefined) return only(own, "address");
      throw conflict(first);
    },
    like,
    read: async (id, signal) => {
      const path = `/api/customers/${id}`;
      const answer = await api.request({ method: "GET", path, signal, accept: [404, 410] });
      return answer.status < 300 ? parseAnswer(customer, "a customer", answer) : undefined;
    },
    create: async (person, signal) => {
      const body = { ...facts(person), channels: channelsOf(person) };
      const answer = await api.request({ method: "POST", path: "/api/customers", body, signal });
      return parseAnswer(customer, "a customer", answer);
    },
  };
}

/** The customers that have what is asked for, each question one call. Rows that Gorgias should not have given are left out. */
function createSearch(api: GorgiasApi) {
  const list = async (query: NonNullable<HttpRequest["query"]>, signal: AbortSignal) => {
    const asked = { path: "/api/customers", item: customer, what: "customers", query, signal };
    // One page: nothing that we ask for belongs to more than a few customers.
    return (await api.page(asked)).rows;
  };
  const byChannel = async (type: "email" | "phone", address: string, signal: AbortSignal) => {
    const rows = await list({ channel_type: type, channel_address: address }, signal);
    return rows.filter((one) => hasChannel(one, type, address));
  };
  return {
    byChannel,
    byExternalId: async ({ externalId }: Person, signal: AbortSignal) => {
      const rows = externalId === undefined ? [] : await list({ external_id: externalId }, signal);
      return rows.filter((one) => one.external_id === externalId);
    },
    byEmail: async ({ email }: Person, signal: AbortSignal) =>
      email === undefined
        ? []
        : (await list({ email }, signal)).filter((one) => hasChannel(one, "email", email)),
    byPhone: async ({ phone }: Person, signal: AbortSignal) =>
      phone === undefined ? [] : byChannel("phone", phone, signal),
  };
}

function facts({ name, email, externalId }: Person): Json {
  return { name, email, external_id: externalId };
}

function channelsOf({ email, phone }: Person): readonly Json[] {
  return [
    ...(email === undefined ? [] : [{ type: "email", address: email, preferred: true }]),
    ...(phone === undefined ? [] : [{ type: "phone", address: phone, preferred: email === undefined }]),
  ];
}

/**
 * What has to be written for the customer to be as the person says; undefined when nothing has. Channels are replaced as a whole, so those that are
 * there go along.
 */
export function customerChange(now: Customer, person: Person): Json | undefined {
  const { name, email, externalId } = person;
  const missing = channelsOf(person).filter(
    ({ type, address }) => !(now.channels ?? []).some((one) => isSame(one, String(type), String(address))),
  );
  const change = {
    ...(name === undefined || name === now.name ? {} : { name }),
    ...(email === undefined || hasChannel(now, "email", email) ? {} : { email }),
    ...(externalId === undefined || externalId === now.external_id ? {} : { external_id: externalId }),
    // Without the list that is there nothing may be put in its place.
    ...(missing.length === 0 || !Array.isArray(now.channels)
      ? {}
      : { channels: [...now.channels, ...missing.map((one) => ({ ...one, preferred: false }))] }),
  };
  return Object.keys(change).length === 0 ? undefined : change;
}

/** Whether the customer has the address, as its own or as one of several. */
export function hasChannel(one: Customer, type: "email" | "phone", address: string): boolean {
  const isOwn = type === "email" && sameText(address, one.email);
  return isOwn || (one.channels ?? []).some((channel) => isSame(channel, type, address));
}

function isSame(channel: NonNullable<Customer["channels"]>[number], type: string, address: string): boolean {
  return channel.type === type && sameText(channel.address, address);
}

function sameText(a: string | null | undefined, b: string | null | undefined): boolean {
  return a?.trim().toLowerCase() === b?.trim().toLowerCase();
}

/** Whether what is given says that this customer is somebody else. */
function contradicts(one: Customer, { externalId, email }: Person): boolean {
  const { external_id: theirs } = one;
  const isOther =
    externalId !== undefined && theirs !== null && theirs !== undefined && theirs !== externalId;
  const hasEmail = one.email !== null && one.email !== undefined;
  return isOther || (email !== undefined && hasEmail && !hasChannel(one, "email", email));
}

function conflict({ id }: Customer): AppError {
  return new AppError(
    "target_rejected",
    `customer ${id} has an address of this contact's, and is somebody else by its external id or e-mail address; if both are one person merge them in Gorgias, then retry`,
    { details: { outcome: "conflict", customer: id } },
  );
}

function unique(found: readonly Customer[]): readonly Customer[] {
  return [...new Map(found.map((one) => [one.id, one])).values()];
}

function only(found: readonly Customer[], what: string): Customer | undefined {
  if (found.length < 2) return found[0];
  const ids = found.map(({ id }) => id);
  throw new AppError(
    "target_rejected",
    `customers ${ids.join(", ")} have the same ${what}; merge them in Gorgias, then retry`,
    { details: { outcome: "ambiguous", customers: ids } },
  );
}
