import type { EventInput } from "deskbridge/sdk";
import { addressOf } from "./config.ts";
import type { Config } from "./config.ts";
import { instantOf } from "./object.ts";

/** What is known of a ticket, by a list or by a webhook. Times as Gorgias writes them. */
export interface TicketFacts {
  readonly id: string;
  readonly key: string | undefined;
  readonly subject: string | undefined;
  readonly status: string | undefined;
  readonly priority: string | undefined;
  readonly tags: readonly string[];
  readonly createdAt: string | undefined;
  readonly updatedAt: string | undefined;
  readonly closedAt: string | undefined;
  readonly customer: CustomerFacts | undefined;
}

export interface CustomerFacts {
  readonly id: string;
  readonly email: string | undefined;
  readonly name: string | undefined;
  readonly externalId: string | undefined;
}

type TicketType = "ticket.created" | "ticket.updated" | "ticket.closed" | "ticket.reopened";
type Told = Pick<EventInput, "id" | "time">;

const priorities: Readonly<Record<string, "low" | "normal" | "high" | "urgent">> = {
  low: "low",
  normal: "normal",
  high: "high",
  critical: "urgent",
  urgent: "urgent",
};

/** The event's data: what is not known is left out. */
export function ticketData(settings: Config, facts: TicketFacts) {
  const { id, key, subject, status, priority, tags, customer } = facts;
  const ticket = known({
    id,
    number: id,
    key,
    subject,
    status: status === "closed" ? ("closed" as const) : status === "open" ? ("open" as const) : undefined,
    priority: priorities[priority ?? ""],
    tags: [...tags],
    url: `${addressOf(settings)}/app/ticket/${id}`,
  });
  return { ticket, ...(customer === undefined ? {} : { contact: known({ ...customer }) }) };
}

export function ticketEvent(type: TicketType, settings: Config, facts: TicketFacts, told: Told): EventInput {
  return { ...told, type, subject: `ticket/${facts.id}`, data: ticketData(settings, facts) };
}

/** Identities of what happens to tickets: the same whether a webhook or a poll tells of it, so that the ledger keeps one of the two. */
export const identity = {
  created: (ticket: string): string => `ticket/${ticket}/created`,
  updated: (ticket: string, updatedAt: string): string => `ticket/${ticket}/updated/${updatedAt}`,
  closed: (ticket: string, closedAt: string): string => `ticket/${ticket}/closed/${closedAt}`,
  reopened: (ticket: string, updatedAt: string): string => `ticket/${ticket}/reopened/${updatedAt}`,
  message: (message: string): string => `message/${message}`,
};

/** What happened longer than this before a ticket's last change is not told again: the ledger may have forgotten that it knew. */
const recentMs = 7 * 24 * 3600 * 1000;

/** The events that the state of a ticket stands for, oldest first. That it was opened again is not to be seen in it. */
export function stateEvents(settings: Config, facts: TicketFacts): readonly EventInput[] {
  const [createdAt, updatedAt, closedAt] = [facts.createdAt, facts.updatedAt, facts.closedAt].map(instantOf);
  if (updatedAt === undefined) return [];
  const since = Date.parse(updatedAt) - recentMs;
  const isRecent = (at: string | undefined): at is string => at !== undefined && Date.parse(at) >= since;
  const make = (type: TicketType, id: string, time: string) =>
    ticketEvent(type, settings, facts, { id, time });
  return [
    ...(isRecent(createdAt) ? [make("ticket.created", identity.created(facts.id), createdAt)] : []),
    ...(facts.status === "closed" && isRecent(closedAt)
      ? [make("ticket.closed", identity.closed(facts.id, closedAt), closedAt)]
      : []),
    ...(updatedAt === createdAt
      ? []
      : [make("ticket.updated", identity.updated(facts.id, updatedAt), updatedAt)]),
  ];
}

function known<T extends object>(facts: { readonly [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined)) as T;
}
