import { parsePhoneNumberFromString } from "libphonenumber-js";
import { AppError } from "deskbridge/sdk";
import type { OperationInput } from "deskbridge/sdk";

type TicketOpen = OperationInput<"ticket.open">;
type OrderFacts = OperationInput<"order.upsert">;
type Person = TicketOpen["requester"];

type Json = Readonly<Record<string, unknown>>;

/** The parts of an address, each encoded. Throws `operation_invalid` for a part that no address can hold. */
export function path(...parts: readonly string[]): string {
  return parts
    .map((part) => {
      // Clients and proxies take these for directories, encoded or not.
      if (part === "." || part === "..") {
        throw new AppError(
          "operation_invalid",
          `"${part}" cannot be used as a key or id; choose a longer one`,
        );
      }
      return `/${encodeURIComponent(part)}`;
    })
    .join("");
}

const closedPolicies = { reopen: "reopen", followUp: "follow_up", ignore: "ignore" } as const;

/** What an automation writes is marked as such: the desk tells its authors apart. */
const author = { type: "system", id: "deskbridge", name: "deskbridge" };

interface MessageFacts {
  readonly text: string;
  readonly direction: "inbound" | "outbound";
  readonly visibility: "public" | "internal";
}

/** A ref on the desk. */
export interface Ref {
  readonly source: string;
  readonly external_id: string;
}

export function messageBody(facts: MessageFacts, ref: Ref): Json {
  return { ...facts, author, ref };
}

/** `messageRef` is that of the message with which the ticket is opened. */
export function ticketBody(input: TicketOpen, refSource: string, messageRef: Ref): Json {
  const { subject, requester, message, visibility, priority, status, tags, customFields, orders, onClosed } =
    input;
  return {
    subject,
    requester: personBody(requester, refSource),
    message: messageBody({ text: message, direction: "inbound", visibility }, messageRef),
    priority,
    status,
    tags,
    custom_fields: customFields,
    orders: orders.map(({ source, id, ...facts }) => ({
      source,
      external_id: id,
      ...orderBody(facts, refSource),
    })),
    repeat: { closed: closedPolicies[onClosed] },
  };
}

export function orderBody(facts: Omit<OrderFacts, "source" | "id">, refSource: string): Json {
  const { name, status, total, url, customer, createdAt, updatedAt } = facts;
  return {
    name: filled(name, 200),
    status: filled(status, 100),
    total,
    url: filled(url, 2000),
    customer: customer === undefined ? undefined : personBody(customer, refSource),
    created_at: createdAt,
    updated_at: updatedAt,
  };
}

function personBody({ id, email, phone, externalId, name }: Person, refSource: string): Json {
  const external = filled(externalId, 255);
  const ref = external === undefined ? undefined : { source: refSource, external_id: external };
  const otherwiseKnown = (id ?? email ?? external) !== undefined;
  return { id, email, phone: otherwiseKnown ? usablePhone(phone) : phone, ref, name: filled(name, 200) };
}

/** A number that the desk would refuse is left out where the contact can be recognised without it: a bad phone number must not cost a ticket. */
export function usablePhone(phone: string | undefined): string | undefined {
  const parsed = phone === undefined ? undefined : parsePhoneNumberFromString(phone);
  return parsed?.isPossible() === true ? parsed.number : undefined;
}

/** An order's or person's plain text as the desk takes it: cut where it is too long, left out where it is empty. */
export function filled(text: string | undefined, max: number): string | undefined {
  const cut = text?.trim().slice(0, max);
  return cut === "" ? undefined : cut;
}
