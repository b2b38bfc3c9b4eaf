import { isoTime } from "deskbridge/sdk";
import type { Row } from "deskbridge/sdk";
import { z } from "zod";
import type { Config } from "./config.ts";
import { remoteId, toCanonicalStatus } from "./ticket.ts";
import { toldTicket } from "./ticket-event.ts";

const instant = z.iso.datetime({ offset: true });

/** A ticket as the export lists it. */
export const exportedTicket = toldTicket.extend({
  generated_timestamp: z.int().positive().nullish(),
  assignee_id: remoteId.nullish(),
  custom_fields: z.array(z.object({ id: remoteId, value: z.unknown() })).nullish(),
  satisfaction_rating: z
    .object({ score: z.string().nullish(), comment: z.string().nullish() })
    .nullish()
    .catch(undefined),
  via: z
    .object({
      channel: z.union([z.string(), z.number()]).nullish(),
      source: z
        .object({
          rel: z.string().nullish(),
          from: z.object({ ticket_id: remoteId.nullish() }).nullish(),
        })
        .nullish(),
    })
    .nullish()
    .catch(undefined),
});
export type ExportedTicket = z.output<typeof exportedTicket>;

const minutes = z.object({ calendar: z.number().nullish(), business: z.number().nullish() }).nullish();

/** What the vendor measures of a ticket. */
export const metricSet = z.object({
  ticket_id: remoteId,
  solved_at: instant.nullish(),
  reopens: z.int().nullish(),
  replies: z.int().nullish(),
  reply_time_in_minutes: minutes,
  first_resolution_time_in_minutes: minutes,
  full_resolution_time_in_minutes: minutes,
});
export type MetricSet = z.output<typeof metricSet>;

/** A user of the account, in the export and by their id. */
export const exportedUser = z.object({
  id: remoteId,
  name: z.string().nullish(),
  email: z.string().nullish(),
  phone: z.string().nullish(),
  role: z.string().nullish(),
  active: z.boolean().nullish(),
  user_fields: z.record(z.string(), z.unknown()).nullish(),
  created_at: instant.nullish(),
  updated_at: instant.nullish(),
});
export type ExportedUser = z.output<typeof exportedUser>;

/** A comment as an event of a ticket has it. */
export const commentEvent = z.object({
  id: remoteId,
  event_type: z.literal("Comment"),
  body: z.string().nullish(),
  public: z.boolean(),
  author_id: z.union([z.int(), z.string()]).transform(String).nullish(),
  attachments: z.array(z.unknown()).nullish(),
  created_at: instant.nullish(),
});
export type CommentEvent = z.output<typeof commentEvent>;

const filled = (text: string | null | undefined): string | null =>
  text === null || text === undefined || text === "" ? null : text;

const time = (text: string | null | undefined): string | null =>
  text === null || text === undefined ? null : isoTime(Date.parse(text)).replace(".000Z", "Z");

/** The vendor knows good and bad: the ends of the scale of 1 to 5. */
const scores: Readonly<Record<string, number>> = { good: 5, bad: 1 };

function scoreOf({ satisfaction_rating: rating }: ExportedTicket): number | null {
  return scores[rating?.score ?? ""] ?? null;
}

function isDone(status: string): boolean {
  return status === "solved" || status === "closed";
}

/** Custom fields that have a value, by the names that the connection gives them, else by their ids. */
function fieldsOf({ custom_fields: fields }: ExportedTicket, { customFields }: Config): Row {
  const names = new Map(Object.entries(customFields).map(([name, id]) => [String(id), name]));
  const there = (fields ?? []).filter(({ value }) => value !== null && value !== undefined);
  return Object.fromEntries(there.map(({ id, value }) => [names.get(id) ?? id, value]));
}

function viaOf({ via }: ExportedTicket): {
  readonly channel: string | null;
  readonly follow_up_of: string | null;
} {
  const { channel, source } = via ?? {};
  return {
    channel: channel === null || channel === undefined ? null : String(channel),
    follow_up_of: source?.rel === "follow_up" ? (source.from?.ticket_id ?? null) : null,
  };
}

function ratingOf(ticket: ExportedTicket): Row {
  const score = scoreOf(ticket);
  const comment = score === null ? null : filled(ticket.satisfaction_rating?.comment);
  return { csat_score: score, csat_comment: comment, csat_at: null };
}

/** Null for a ticket that was deleted. */
export function ticketRow(
  ticket: ExportedTicket,
  metrics: MetricSet | undefined,
  settings: Config,
): Row | null {
  const status = toCanonicalStatus(ticket.status);
  if (status === undefined) return null;
  const fields = fieldsOf(ticket, settings);
  const { reason } = fields;
  const externalId = filled(ticket.external_id);
  const tags = ticket.tags ?? [];
  return {
    id: ticket.id,
    number: ticket.id,
    subject: filled(ticket.subject),
    status,
    priority: filled(ticket.priority),
    requester_id: ticket.requester_id ?? null,
    assignee: ticket.assignee_id ?? null,
    tags,
    custom_fields: fields,
    refs: externalId === null ? [] : [{ source: "external_id", external_id: externalId }],
    reason: (typeof reason === "string" ? filled(reason) : null) ?? tags[0] ?? null,
    ...ratingOf(ticket),
    ...viaOf(ticket),
    merged_into: null,
    created_at: time(ticket.created_at),
    updated_at: time(ticket.updated_at),
    closed_at: isDone(status) ? time(metrics?.solved_at ?? ticket.updated_at) : null,
  };
}

const seconds = (value: number | null | undefined): number | null =>
  value === null || value === undefined ? null : Math.round(value * 60);

/** Durations come in whole minutes, and without the times at which they ended. */
function durationsOf(name: string, value: z.output<typeof minutes>): Row {
  return {
    [`${name}_seconds`]: seconds(value?.calendar),
    [`${name}_business_seconds`]: seconds(value?.business),
  };
}

/** Null for a ticket that was deleted. */
export function metricRow(ticket: ExportedTicket, metrics: MetricSet | undefined): Row | null {
  const status = toCanonicalStatus(ticket.status);
  if (status === undefined) return null;
  const { replies, reopens } = metrics ?? {};
  const isKnown = typeof replies === "number" && typeof reopens === "number";
  const isSolved = isDone(status);
  return {
    ticket_id: ticket.id,
    ticket_created_at: time(ticket.created_at),
    first_reply_at: null,
    ...durationsOf("first_reply", metrics?.reply_time_in_minutes),
    first_resolved_at: null,
    ...durationsOf("first_resolution", metrics?.first_resolution_time_in_minutes),
    resolved_at: isSolved ? time(metrics?.solved_at) : null,
    ...durationsOf("full_resolution", isSolved ? metrics?.full_resolution_time_in_minutes : null),
    replies: replies ?? null,
    reopens: reopens ?? null,
    one_touch: isKnown ? isSolved && reopens === 0 && replies <= 1 : null,
    csat_score: scoreOf(ticket),
  };
}

/** Null for a user who is gone, and for one who is no end user any more. */
export function contactRow(user: ExportedUser): Row | null {
  if (user.active === false || user.role !== "end-user") return null;
  const fields = Object.entries(user.user_fields ?? {}).filter(([, value]) => value !== null);
  return {
    id: user.id,
    name: filled(user.name),
    email: filled(user.email),
    phone: filled(user.phone),
    custom_fields: Object.fromEntries(fields),
    merged_into: null,
    created_at: time(user.created_at),
    updated_at: time(user.updated_at ?? user.created_at),
  };
}

/** Whoever is not known any more, or is an end user, is taken for a contact. */
export function messageRow(
  ticketId: string,
  comment: CommentEvent,
  at: string,
  author: ExportedUser | undefined,
): Row {
  const { author_id: authorId } = comment;
  const isSystem = authorId === undefined || authorId === null || !/^\d+$/.test(authorId);
  const isContact = !isSystem && (author === undefined || author.role === "end-user");
  return {
    id: comment.id,
    ticket_id: ticketId,
    direction: isContact ? "inbound" : "outbound",
    visibility: comment.public ? "public" : "internal",
    author_type: isSystem ? "system" : isContact ? "contact" : "agent",
    author_id: isSystem ? null : authorId,
    author_name: filled(author?.name),
    text: comment.body ?? "",
    has_attachments: (comment.attachments ?? []).length > 0,
    created_at: time(comment.created_at ?? at),
  };
}
