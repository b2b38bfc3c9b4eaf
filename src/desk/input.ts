import { textOfHtml } from "./html.ts";
import { identitiesOf } from "./identity.ts";
import { parseObjectId } from "./object-id.ts";
import type { Person } from "./schema-contact.ts";
import type { NewMessage } from "./schema-message.ts";
import type { OrderInTicket } from "./schema-order.ts";
import type { NewTicket, TicketChange } from "./schema-ticket.ts";
import { storable } from "./schema-text.ts";
import type { Caller } from "./scope.ts";

/** The functions of the database take requests in this form: ids as numbers, identities as a list, authors filled in. */
export type StoreInput = Readonly<Record<string, unknown>>;

interface Requester {
  readonly requester?: Person | undefined;
  readonly requester_id?: string | undefined;
}

export function personInput({ id, ref, email, phone, name }: Person): StoreInput {
  if (id !== undefined) return { contact: parseObjectId("contact", id) };
  const identities = identitiesOf({ email, phone, refs: ref === undefined ? [] : [ref] });
  return { identities, email, phone, name };
}

export function orderInput({ customer, ...facts }: OrderInTicket): StoreInput {
  return customer === undefined ? facts : { ...facts, customer: personInput(customer) };
}

export function messageInput(
  message: NewMessage,
  caller: Caller,
  usualDirection: "inbound" | "outbound",
): StoreInput {
  const { author, direction = usualDirection, visibility, ref, ...content } = message;
  return {
    ...contentInput(content),
    ...(ref === undefined ? {} : { ref }),
    visibility,
    direction,
    author: authorInput(author, caller, direction),
  };
}

type Content = Pick<NewMessage, "text" | "html" | "attachments" | "in_reply_to">;

/** Longer than a text may be is cut: what HTML says is in the HTML. */
const longestText = 65_536;

/** What a message says; its text is made of its HTML where none is given. */
export function contentInput({
  text,
  html,
  attachments,
  in_reply_to: answered,
}: Content): StoreInput & { readonly text: string } {
  return {
    text: text ?? storable(textOfHtml(html ?? "").slice(0, longestText)),
    ...(html === undefined || html === "" ? {} : { html }),
    ...(attachments === undefined
      ? {}
      : { attachments: attachments.map((id) => parseObjectId("attachment", id)) }),
    ...(answered === undefined ? {} : { in_reply_to: parseObjectId("message", answered) }),
  };
}

function authorInput(author: NewMessage["author"], caller: Caller, direction: string): StoreInput {
  if (author === undefined) {
    return direction === "inbound"
      ? { type: "contact" }
      : { type: "agent", id: caller.id, name: caller.name };
  }
  const { type, id, name } = author;
  if (type !== "contact") return { type, id: id ?? caller.id, name };
  return { type, name, ...(id === undefined ? {} : { contact: parseObjectId("contact", id) }) };
}

type TicketBody = (NewTicket | TicketChange) & { readonly repeat?: unknown };

/** The common part of the ticket requests; what is not given is left out. */
export function ticketInput(
  body: TicketBody,
  caller: Caller,
  usualDirection: "inbound" | "outbound",
): StoreInput {
  const { requester, requester_id, message, orders, ...fields } = body;
  return {
    ...fields,
    ...requesterInput({ requester, requester_id }),
    ...(message === undefined ? {} : { message: messageInput(message, caller, usualDirection) }),
    ...(orders === undefined ? {} : { orders: orders.map(orderInput) }),
  };
}

function requesterInput({ requester, requester_id: id }: Requester): StoreInput {
  if (id !== undefined) return { requester: { contact: parseObjectId("contact", id) } };
  return requester === undefined ? {} : { requester: personInput(requester) };
}
