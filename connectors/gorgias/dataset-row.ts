import { canonicalTimestamp } from "deskbridge/sdk";
import type { Row } from "deskbridge/sdk";
import { z } from "zod";
import type { Config } from "./config.ts";
import { customer, fieldValues, instantOf, message, ticket } from "./object.ts";
import { isTrashed } from "./ticket.ts";

const id = z.union([z.int().positive(), z.string().regex(/^\d+$/)]).transform(String);
const person = z.object({ id: id.nullish(), name: z.string().nullish(), email: z.string().nullish() });

export const listedTicket = ticket.extend({
  channel: z.string().nullish(),
  assignee_user: person.nullish(),
  meta: z.unknown(),
});
type ListedTicket = z.output<typeof listedTicket>;

export const listedMessage = message.extend({
  ticket_id: id,
  public: z.boolean(),
  from_agent: z.boolean(),
  sender: person.nullish(),
  body_text: z.string().nullish(),
  attachments: z.array(z.unknown()).nullish(),
});

export const listedCustomer = customer.extend({
  created_datetime: z.string().nullish(),
  updated_datetime: z.string().nullish(),
});

function filled(text: string | null | undefined): string | null {
  return text === null || text === undefined || text === "" ? null : text;
}

/** With as many digits as a timestamp has. */
function time(text: string | null | undefined): string | null {
  const instant = instantOf(text);
  return instant === undefined ? null : canonicalTimestamp(instant.replace(/(\.\d{6})\d+Z$/, "$1Z"));
}

const priorities: Readonly<Record<string, string>> = {
  low: "low",
  normal: "normal",
  high: "high",
  critical: "urgent",
};

const writtenMeta = z.object({ deskbridge: z.object({ follow_up_of: id.nullish() }) });

/** Null for a ticket in the trash. */
export function ticketRow(facts: ListedTicket, { customFields }: Config): Row | null {
  if (isTrashed(facts)) return null;
  const names = new Map(Object.entries(customFields).map(([name, number]) => [String(number), name]));
  const fields = [...fieldValues(facts.custom_fields)].filter(([, value]) => value !== null);
  const named = Object.fromEntries(fields.map(([number, value]) => [names.get(number) ?? number, value]));
  const tags = (facts.tags ?? []).map(({ name }) => name);
  const { reason } = named;
  const isClosed = facts.status === "closed";
  return {
    id: facts.id,
    number: facts.id,
    subject: filled(facts.subject),
    status: isClosed ? "closed" : "open",
    priority: priorities[facts.priority ?? ""] ?? null,
    channel: filled(facts.channel),
    requester_id: facts.customer?.id ?? null,
    assignee: filled(facts.assignee_user?.email) ?? facts.assignee_user?.id ?? null,
    tags,
    custom_fields: named,
    refs:
      filled(facts.external_id) === null ? [] : [{ source: "external_id", external_id: facts.external_id }],
    reason: (typeof reason === "string" ? filled(reason) : null) ?? tags[0] ?? null,
    csat_score: null,
    csat_comment: null,
    csat_at: null,
    follow_up_of: writtenMeta.safeParse(facts.meta).data?.deskbridge.follow_up_of ?? null,
    merged_into: null,
    created_at: time(facts.created_datetime),
    updated_at: time(facts.updated_datetime),
    closed_at: isClosed ? time(facts.closed_datetime) : null,
  };
}

export function messageRow(facts: z.output<typeof listedMessage>): Row {
  return {
    id: facts.id,
    ticket_id: facts.ticket_id,
    direction: facts.from_agent ? "outbound" : "inbound",
    visibility: facts.public ? "public" : "internal",
    author_type: facts.from_agent ? "agent" : "contact",
    author_id: facts.sender?.id ?? null,
    author_name: filled(facts.sender?.name),
    text: facts.body_text ?? "",
    has_attachments: (facts.attachments ?? []).length > 0,
    created_at: time(facts.created_datetime),
  };
}

export function contactRow(facts: z.output<typeof listedCustomer>): Row {
  const phones = (facts.channels ?? []).filter(({ type }) => type === "phone");
  const phone = phones.find(({ preferred }) => preferred === true) ?? phones[0];
  return {
    id: facts.id,
    name: filled(facts.name),
    email: filled(facts.email),
    phone: filled(phone?.address),
    custom_fields: {},
    merged_into: null,
    created_at: time(facts.created_datetime),
    updated_at: time(facts.updated_datetime ?? facts.created_datetime),
  };
}
