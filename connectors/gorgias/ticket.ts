import { AppError } from "deskbridge/sdk";
import type { OperationInput, RemoteObject, RemoteTicket, TicketChanges, TicketStatus } from "deskbridge/sdk";
import { addressOf } from "./config.ts";
import type { Config } from "./config.ts";
import type { Ticket } from "./object.ts";

/** A ticket as the contract wants it, with what was read of it. */
export interface KnownTicket extends RemoteTicket {
  readonly facts: Ticket;
}

type TicketOpen = OperationInput<"ticket.open">;
type Priority = NonNullable<TicketOpen["priority"]>;
type Json = Readonly<Record<string, unknown>>;

/** Gorgias has two statuses, and a closed ticket can always be opened again. */
export function known(settings: Config, facts: Ticket): KnownTicket {
  return { ...named(settings, facts.id), standing: facts.status === "closed" ? "solved" : "open", facts };
}

export function isKnown(ticket: RemoteTicket): ticket is KnownTicket {
  return "facts" in ticket;
}

/** A ticket's id, which is its number too, and where agents find it. */
export function named(settings: Config, id: string): RemoteObject {
  return { id, number: id, url: `${addressOf(settings)}/app/ticket/${id}` };
}

export function isTrashed({ trashed_datetime }: Ticket): boolean {
  return trashed_datetime !== null && trashed_datetime !== undefined;
}

export function statusOf(status: TicketStatus): "open" | "closed" {
  return status === "solved" || status === "closed" ? "closed" : "open";
}

export function priorityOf(priority: Priority): string {
  return priority === "urgent" ? "critical" : priority;
}

/** The members that are given, as Gorgias writes them. */
export function ticketFields({
  subject,
  status,
  priority,
}: Pick<TicketChanges, "subject" | "status" | "priority">): Json {
  return {
    subject,
    status: status === undefined ? undefined : statusOf(status),
    priority: priority === undefined ? undefined : priorityOf(priority),
  };
}

/** Values by field id. A name that is neither an id nor one of the configured names is `operation_invalid`. */
export function fieldIds(
  settings: Config,
  customFields: TicketOpen["customFields"],
): ReadonlyMap<string, unknown> {
  return new Map(
    Object.entries(customFields ?? {}).map(([name, value]) => {
      const id = settings.customFields[name] ?? (/^[1-9]\d*$/.test(name) ? name : undefined);
      if (id !== undefined) return [String(id), value] as const;
      throw new AppError(
        "operation_invalid",
        `custom field "${name}" is not known; add it with its id to the connection's customFields`,
        { details: { customField: name } },
      );
    }),
  );
}

export function fieldList(values: ReadonlyMap<string, unknown>): readonly Json[] {
  return [...values].map(([id, value]) => ({ id: Number(id), value }));
}

/** What we keep with a ticket: for widgets and for whoever looks a ticket up by hand. */
export function ticketMeta({
  marker,
  orders,
  followUpOf,
}: {
  readonly marker: string;
  readonly orders: TicketOpen["orders"];
  readonly followUpOf: RemoteObject | undefined;
}): Json {
  const told = orders.map(({ source, id, name, status, total, url }) => ({
    source,
    id,
    name,
    status,
    total,
    url,
  }));
  return {
    deskbridge: {
      effect: marker,
      ...(told.length === 0 ? {} : { orders: told }),
      ...(followUpOf === undefined ? {} : { follow_up_of: Number(followUpOf.id) }),
    },
  };
}
