import { AppError } from "deskbridge/sdk";
import type { DeskOperations, EffectCall, EffectReceipt, OperationInput, RemoteObject } from "deskbridge/sdk";
import type { GorgiasApi } from "./api.ts";
import { customerChange, hasChannel } from "./customer.ts";
import type { Customers } from "./customer.ts";
import type { Customer } from "./object.ts";
import { replace } from "./replace.ts";

type ContactUpsert = OperationInput<"contact.upsert">;

interface Desk {
  readonly api: GorgiasApi;
  readonly customers: Customers;
}

/** The operation on contacts, which Gorgias calls customers. */
export function createContactOperation(
  api: GorgiasApi,
  customers: Customers,
): DeskOperations["contact.upsert"] {
  const desk = { api, customers };
  return async (input, call) => {
    const key = keyOf(input);
    const link = await call.links.get("contact", key);
    const linked = link === undefined ? undefined : await linkedCustomer(customers, input, link, call);
    if (call.begun("create")) return create(desk, input, call, linked === undefined ? link?.id : undefined);
    const found = linked ?? (await customers.match(input, call.signal));
    if (found === undefined) return create(desk, input, call, link?.id);
    if (linked === undefined) await call.links.set("contact", key, plain(found));
    return change(desk, found, input, call);
  };
}

/** `replaces`: the id of the customer that the key named and that is no longer there. */
async function create(
  desk: Desk,
  input: ContactUpsert,
  call: EffectCall,
  replaces: string | undefined,
): Promise<EffectReceipt> {
  const { customers } = desk;
  const { signal } = call;
  const key = keyOf(input);
  const made = await call
    .once({
      step: "create",
      send: async () => plain(await customers.create(input, signal)),
      find: async () => [await customers.match(input, signal)].filter((one) => one !== undefined).map(plain),
      claims: { kind: "contact", key, ...(replaces === undefined ? {} : { replaces }) },
    })
    .catch(async (error: unknown) => {
      if (!(error instanceof AppError) || error.code !== "target_conflict") throw error;
      const holder = await customers.holder(input, signal);
      // Nobody to be seen yet: the delivery is tried again.
      if (holder === undefined) throw error;
      return { how: "taken" as const, object: plain(holder) };
    });
  if (made.how === "found") {
    // Another effect may have made it, with other facts.
    await change(desk, await mustRead(customers, made.object.id, signal), input, call);
  }
  if (made.how !== "taken") {
    return { ...receipt("created", made.object), ...(made.how === "sent" ? {} : { replayed: true }) };
  }
  const found = await mustRead(customers, made.object.id, signal);
  await call.links.set("contact", key, plain(found));
  return change(desk, found, input, call);
}

async function change(
  { api, customers }: Desk,
  found: Customer,
  input: ContactUpsert,
  { signal }: EffectCall,
): Promise<EffectReceipt> {
  const path = `/api/customers/${found.id}`;
  const read = () => mustRead(customers, found.id, signal);
  const writes = await replace({
    // Lists may leave the channels out.
    from: Array.isArray(found.channels) ? found : await read(),
    change: (now) => customerChange(now, input),
    write: async (body) => {
      const { status } = await api.request({ method: "PUT", path, body, signal, accept: [409] });
      if (status === 409) throw taken(found);
    },
    read,
  });
  return receipt(writes === 0 ? "unchanged" : "updated", found);
}

async function mustRead(customers: Customers, id: string, signal: AbortSignal): Promise<Customer> {
  const found = await customers.read(id, signal);
  if (found !== undefined) return found;
  throw new AppError("target_conflict", `customer ${id} was deleted or merged just now`);
}

function keyOf({ externalId, email, phone, customFields }: ContactUpsert): string {
  if (customFields !== undefined && Object.keys(customFields).length > 0) {
    throw new AppError(
      "operation_invalid",
      "custom fields of customers cannot be written; leave customFields out",
    );
  }
  const key = externalId ?? email?.toLowerCase() ?? phone;
  if (key !== undefined) return key;
  throw new AppError("operation_invalid", "contact.upsert needs one of externalId, email or phone");
}

/** The customer that the key named before, if it still is the one. */
async function linkedCustomer(
  customers: Customers,
  { externalId, email, phone }: ContactUpsert,
  link: RemoteObject,
  { signal }: EffectCall,
): Promise<Customer | undefined> {
  const found = await customers.read(link.id, signal);
  if (found === undefined) return undefined;
  if (externalId !== undefined) return found.external_id === externalId ? found : undefined;
  if (email !== undefined) return hasChannel(found, "email", email) ? found : undefined;
  return phone !== undefined && hasChannel(found, "phone", phone) ? found : undefined;
}

function taken({ id }: Customer): AppError {
  return new AppError(
    "target_rejected",
    `customer ${id} cannot have this address: another customer has it; if both are one person merge them in Gorgias, then retry`,
    { details: { outcome: "conflict", customer: id } },
  );
}

function plain({ id }: Customer): RemoteObject {
  return { id };
}

function receipt(result: EffectReceipt["result"], { id }: { readonly id: string }): EffectReceipt {
  return { result, kind: "contact", id };
}
