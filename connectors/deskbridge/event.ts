import { instant, ticketPriority, ticketStatus } from "deskbridge/sdk";
import type { EventInput } from "deskbridge/sdk";
import { z } from "zod";

/** A change as the feed lists it. A webhook has `object` besides, as the API showed it when it was sent. */
export const change = z.object({
  id: z.string().min(1),
  type: z.string(),
  time: instant,
  actor: z.string(),
  object_id: z.string().min(1),
  ticket_id: z.string().nullable(),
  data: z.record(z.string(), z.unknown()),
  object: z.unknown().optional(),
});
export type Change = z.output<typeof change>;

/** What of the feed and of webhooks becomes events. */
export const patterns = ["ticket.*", "message.created", "contact.*"] as const;

const ref = z.object({ source: z.string(), external_id: z.string() });
const person = z.object({
  id: z.string(),
  name: z.string().nullable(),
  email: z.string().nullable(),
  phone: z.string().nullable(),
});

export const ticket = z.object({
  id: z.string(),
  number: z.int(),
  subject: z.string(),
  status: ticketStatus,
  priority: ticketPriority,
  requester: person,
  tags: z.array(z.string()),
  refs: z.array(ref),
});

export const message = z.object({
  id: z.string(),
  direction: z.enum(["inbound", "outbound"]),
  visibility: z.enum(["public", "internal"]),
  author: z.object({ type: z.enum(["contact", "agent", "system"]) }),
  text: z.string(),
});

export const contact = person.extend({ refs: z.array(ref) });

type Refs = readonly z.output<typeof ref>[];

/** The ticket and who asked, as events carry them. */
export function ticketFacts({ refs, requester, ...told }: z.output<typeof ticket>, refSource: string) {
  const { id, number, subject, status, priority, tags } = told;
  return {
    ticket: known({
      id,
      number: String(number),
      key: keyIn(refs, refSource),
      subject,
      status,
      priority,
      tags,
    }),
    contact: known(orUnknown(requester)),
  };
}

/** A message as events carry it. */
export function messageFacts({ id, direction, visibility, author, text }: z.output<typeof message>) {
  return { id, direction, visibility, author: author.type, ...(text === "" ? {} : { text }) };
}

/** A contact as events carry it; its external id is the one of this connection's `refSource`. */
export function contactFacts({ refs, ...told }: z.output<typeof contact>, refSource: string) {
  return known({ ...orUnknown(told), externalId: keyIn(refs, refSource) });
}

function keyIn(refs: Refs, refSource: string): string | undefined {
  return refs.find(({ source }) => source === refSource)?.external_id;
}

function orUnknown({ id, name, email, phone }: z.output<typeof person>) {
  return { id, name: name ?? undefined, email: email ?? undefined, phone: phone ?? undefined };
}

/**
 * The event that a change stands for, the same from a webhook and from the feed; undefined for a change that no event tells of. What the
 * change does not carry is left out, for the enrichment to fetch.
 */
export function eventOf(told: Change, refSource: string): EventInput | undefined {
  const { id, time, object_id: objectId } = told;
  const actor = { id: told.actor };
  const base = { id, time, raw: told };
  switch (told.type) {
    case "ticket.created":
    case "ticket.updated":
    case "ticket.closed":
    case "ticket.reopened": {
      const found = ticket.safeParse(told.object).data;
      const facts = found === undefined ? bareTicket(objectId) : ticketFacts(found, refSource);
      return { ...base, type: told.type, subject: `ticket/${objectId}`, data: { ...facts, actor } };
    }
    case "message.created": {
      const found = message.safeParse(told.object).data;
      const facts = found === undefined ? { id: objectId } : messageFacts(found);
      const ticketId = told.ticket_id ?? "unknown";
      const data = { message: facts, ...bareTicket(ticketId), actor };
      return { ...base, type: told.type, subject: `ticket/${ticketId}`, data };
    }
    case "contact.created":
    case "contact.updated":
    case "contact.merged":
    case "contact.unmerged":
    case "contact.deleted": {
      // That a merge was undone is news of a contact that is there again.
      const type = told.type === "contact.unmerged" ? "contact.updated" : told.type;
      const found = contact.safeParse(told.object).data;
      const facts = found === undefined ? { id: objectId } : contactFacts(found, refSource);
      const into = told.data["into"];
      const data = {
        contact: { ...facts, ...(typeof into === "string" ? { mergedInto: into } : {}) },
        actor,
      };
      return { ...base, type, subject: `contact/${objectId}`, data };
    }
    default:
      return undefined;
  }
}

function bareTicket(id: string) {
  return { ticket: { id, tags: [] } };
}

function known<T extends object>(facts: { readonly [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined)) as T;
}
