import { AppError, currencyDigits } from "deskbridge/sdk";
import type { DeskOperations, EffectCall, EffectReceipt, OperationInput, OrderFacts } from "deskbridge/sdk";
import { z } from "zod";
import type { ZendeskApi } from "./api.ts";
import type { Config } from "./config.ts";
import { changeSafely, findTickets, readTicket } from "./ticket-access.ts";
import { known, ticketAnswer } from "./ticket.ts";
import type { Ticket } from "./ticket.ts";

/** Where orders are kept. The vendor has no place of its own for them: a custom object, a ticket field, both or none, by the settings. */
export interface OrderPlaces {
  readonly operations: Partial<Pick<DeskOperations, "order.upsert" | "order.link">>;
  /** What a new ticket's order field holds. */
  readonly ticketFields: (
    orders: readonly OrderFacts[],
  ) => readonly { readonly id: number; readonly value: string }[];
  /** Lines for the end of an internal first message, where no field tells agents of the orders. */
  readonly ticketLines: (orders: readonly OrderFacts[]) => string;
  /** Writes what came with a ticket to the custom object; a repeat changes nothing. */
  readonly keep: (orders: readonly OrderFacts[], signal: AbortSignal) => Promise<void>;
}

const record = z.object({
  id: z.string().min(1),
  external_id: z.string().nullish(),
  name: z.string().nullish(),
  custom_object_fields: z.record(z.string(), z.unknown()).nullish(),
});
type OrderRecord = z.output<typeof record>;

const recordAnswer = z.object({ custom_object_record: record });
const recordList = z.object({ custom_object_records: z.array(record) });

export function createOrderPlaces(
  api: ZendeskApi,
  { orders: { object, field, fields } }: Config,
): OrderPlaces {
  const store = object === undefined ? undefined : createOrderStore(api, object, fields);
  return {
    operations: known({
      "order.upsert": store?.upsert,
      "order.link": field === undefined ? undefined : createLinker(api, field),
    }),
    ticketFields: (orders) =>
      field === undefined || orders.length === 0
        ? []
        : [{ id: field, value: orders.map(referenceOf).join(separator) }],
    ticketLines: (orders) => {
      if (field !== undefined || orders.length === 0) return "";
      const lines = orders.map((order) => known({ name: order.name ?? order.id, url: order.url }));
      return `\n\n${lines.map(({ name, url }) => `Order ${name}${url === undefined ? "" : `: ${url}`}`).join("\n")}`;
    },
    keep: async (orders, signal) => {
      for (const order of orders) await store?.keep(order, signal);
    },
  };
}

interface OrderStore {
  readonly upsert: DeskOperations["order.upsert"];
  readonly keep: (order: OrderFacts, signal: AbortSignal) => Promise<void>;
}

function createOrderStore(api: ZendeskApi, object: string, fields: Config["orders"]["fields"]): OrderStore {
  const path = `/api/v2/custom_objects/${object}/records`;
  const find = async (order: OrderFacts, signal: AbortSignal): Promise<OrderRecord | undefined> => {
    const reference = referenceOf(order);
    const query = { "filter[external_ids]": reference };
    const { custom_object_records: records } = await api.ask(
      { method: "GET", path, query, signal },
      recordList,
    );
    return records.find((one) => one.external_id === reference);
  };
  const write = async (order: OrderFacts, signal: AbortSignal): Promise<{ readonly id: string }> => {
    const body = { custom_object_record: recordOf(order, fields) };
    const query = { external_id: referenceOf(order) };
    const answer = await api.ask({ method: "PATCH", path, query, body, signal }, recordAnswer);
    return { id: answer.custom_object_record.id };
  };
  return {
    keep: async (order, signal) => {
      const held = await find(order, signal);
      if (held === undefined || comparison(held, order, fields) === "changed") await write(order, signal);
    },
    upsert: async (order, call) => {
      const { signal } = call;
      const held = call.begun("create") ? undefined : await find(order, signal);
      if (held === undefined) {
        let found: OrderRecord | undefined;
        const made = await call.once({
          step: "create",
          send: () => write(order, signal),
          find: async () => {
            found = await find(order, signal);
            return found === undefined ? [] : [{ id: found.id }];
          },
        });
        // Another effect may have made it, with other facts.
        if (found !== undefined && comparison(found, order, fields) === "changed") await write(order, signal);
        const receipt = orderReceipt("created", made.object.id);
        return made.how === "sent" ? receipt : { ...receipt, replayed: true };
      }
      const outcome = comparison(held, order, fields);
      if (outcome === "older") return orderReceipt("ignored", held.id);
      if (outcome === "same") return orderReceipt("unchanged", held.id);
      await write(order, signal);
      return orderReceipt("updated", held.id);
    },
  };
}

function orderReceipt(result: EffectReceipt["result"], id: string): EffectReceipt {
  return { result, kind: "order", id };
}

/** How what is given stands to what is held. */
function comparison(
  held: OrderRecord,
  order: OrderFacts,
  fields: Config["orders"]["fields"],
): "older" | "same" | "changed" {
  const values = held.custom_object_fields ?? {};
  const heldAt = fields.updatedAt === undefined ? undefined : values[fields.updatedAt];
  const isOlder =
    typeof heldAt === "string" &&
    order.updatedAt !== undefined &&
    Date.parse(order.updatedAt) < Date.parse(heldAt);
  if (isOlder) return "older";
  const given = recordOf(order, fields);
  const isSame =
    given.name === held.name &&
    Object.entries(given.custom_object_fields).every(([name, value]) => String(values[name]) === value);
  return isSame ? "same" : "changed";
}

function recordOf(order: OrderFacts, fields: Config["orders"]["fields"]) {
  const { name, id, status, total, url, customer, createdAt, updatedAt } = order;
  const facts = {
    status,
    total: total === undefined ? undefined : amountOf(total),
    currency: total?.currency,
    url,
    customer: customer?.email ?? customer?.name ?? customer?.phone,
    createdAt,
    updatedAt,
  };
  const values: Record<string, string> = {};
  for (const [fact, field] of Object.entries(fields)) {
    const value = facts[fact as keyof typeof facts];
    if (value !== undefined) values[field] = value;
  }
  return { name: name ?? id, custom_object_fields: values };
}

function amountOf({ minor, currency }: NonNullable<OrderFacts["total"]>): string {
  const digits = currencyDigits(currency);
  return (minor / 10 ** digits).toFixed(digits);
}

const separator = ", ";

/** What an order is called on the desk: its system and its id there. */
function referenceOf({ source, id }: Pick<OrderFacts, "source" | "id">): string {
  return `${source}:${id}`.replaceAll(",", "%2C");
}

function createLinker(api: ZendeskApi, field: number): DeskOperations["order.link"] {
  return async ({ key, order }, call) => {
    const ticket = await locate(api, key, call);
    const reference = referenceOf(order);
    const path = `/api/v2/tickets/${ticket.id}`;
    const isWritten = await changeSafely(api, ticket.id, call.signal, ({ fields }, stamp) => {
      const listed = listedIn(fields.get(String(field)));
      if (listed.includes(reference)) return undefined;
      const value = [...listed, reference].join(separator);
      const body = { ticket: { custom_fields: [{ id: field, value }], ...stamp } };
      return api.ask({ method: "PUT", path, body, signal: call.signal }, ticketAnswer);
    });
    const { id, number, url } = ticket;
    return known<EffectReceipt>({
      result: isWritten ? "updated" : "unchanged",
      kind: "ticket",
      id,
      number,
      url,
    });
  };
}

function listedIn(value: unknown): readonly string[] {
  if (typeof value !== "string") return [];
  return value.split(",").flatMap((one) => (one.trim() === "" ? [] : [one.trim()]));
}

async function locate(
  api: ZendeskApi,
  key: OperationInput<"order.link">["key"],
  { links, signal }: EffectCall,
): Promise<Ticket> {
  const known = await links.get("ticket", key);
  // A link from the time of another account names nobody's ticket here.
  const isHere = known?.url === undefined || known.url.startsWith(`${api.address}/`);
  const ticket = known === undefined || !isHere ? undefined : await readTicket(api, known.id, signal);
  const found = ticket ?? (await findTickets(api, key, signal)).at(-1);
  if (found !== undefined) return found;
  throw new AppError("target_not_found", "no ticket has this key on the desk, or it was deleted there");
}
