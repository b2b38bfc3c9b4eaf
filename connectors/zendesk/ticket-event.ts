import { isoTime } from "deskbridge/sdk";
import type { EventInput } from "deskbridge/sdk";
import { z } from "zod";
import { agentUrl, known, remoteId, toCanonicalStatus } from "./ticket.ts";

const instant = z.iso.datetime({ offset: true });

/** A ticket as an export lists it and as a webhook carries it: ids as numbers or digits, names in lower or upper case. */
export const toldTicket = z.object({
  id: remoteId,
  external_id: z.string().nullish(),
  subject: z.string().nullish(),
  status: z.string(),
  priority: z.string().nullish(),
  tags: z.array(z.string()).nullish(),
  requester_id: remoteId.nullish(),
  created_at: instant,
  updated_at: instant,
});
export type ToldTicket = z.output<typeof toldTicket>;

/** What happened to a ticket at a time. */
type Happening = "created" | "updated" | "closed" | "reopened";

/**
 * The event that says what happened to the ticket. Its identity is made of the ticket and the second of the happening, so that it is the same from
 * a webhook and from the export, and several webhooks about one action make one `ticket.updated`.
 */
export function ticketEvent(
  ticket: ToldTicket,
  happening: Happening,
  at: string,
  address: string,
): EventInput {
  const time = wholeSecond(at);
  return {
    id: happening === "created" ? `ticket/${ticket.id}/created` : `ticket/${ticket.id}/${happening}/${time}`,
    type: `ticket.${happening}`,
    subject: `ticket/${ticket.id}`,
    time,
    data: ticketFacts(ticket, address),
  };
}

/** A change of a ticket that is not its creation; the vendor counts that as a change as well. */
export function changeEvents(ticket: ToldTicket, address: string): readonly EventInput[] {
  const { created_at: createdAt, updated_at: updatedAt } = ticket;
  if (wholeSecond(createdAt) === wholeSecond(updatedAt)) return [];
  return [ticketEvent(ticket, "updated", updatedAt, address)];
}

/** The ticket and who asked, as events carry them. */
export function ticketFacts(ticket: ToldTicket, address: string) {
  const { id, requester_id: requesterId, tags } = ticket;
  const status = toCanonicalStatus(ticket.status);
  const facts = known({
    id,
    key: filled(ticket.external_id),
    number: id,
    subject: filled(ticket.subject),
    status,
    priority: priorityOf(ticket.priority),
    url: agentUrl(address, id),
  });
  const contact = typeof requesterId === "string" ? { contact: { id: requesterId } } : {};
  return { ticket: { ...facts, tags: tags ?? [] }, ...contact };
}

const priorities = ["low", "normal", "high", "urgent"] as const;

function priorityOf(priority: string | null | undefined): (typeof priorities)[number] | undefined {
  return priorities.find((one) => one === priority?.toLowerCase());
}

function filled(text: string | null | undefined): string | undefined {
  return text === null || text === "" ? undefined : text;
}

/** The instant in UTC, cut to the second: the vendor's lists keep no finer times. */
export function wholeSecond(time: string): string {
  return isoTime(Math.floor(Date.parse(time) / 1000) * 1000);
}
