import { AppError } from "deskbridge/sdk";
import type { RemoteTicket, TicketChanges, TicketStanding, TicketStatus } from "deskbridge/sdk";
import { z } from "zod";
import type { Config } from "./config.ts";

/** An id as the vendor sends it: a number, or digits where it is beyond 2^53 or comes by webhook. */
export const remoteId = z.union([z.int().positive(), z.string().regex(/^\d+$/)]).transform(String);

/** As much of the vendor's ticket as we need. */
export const ticketBody = z.object({
  id: remoteId,
  status: z.string(),
  updated_at: z.string(),
  requester_id: remoteId,
  tags: z.array(z.string()).default([]),
  custom_fields: z.array(z.object({ id: remoteId, value: z.unknown() })).default([]),
});

export const ticketAnswer = z.object({ ticket: ticketBody });
export const ticketList = z.object({ tickets: z.array(ticketBody) });

/** A ticket as it was read, with what is needed to write to it. */
export interface Ticket extends RemoteTicket {
  readonly requesterId: string;
  /** The vendor's time of the last change, to be sent back with a safe update. */
  readonly updatedAt: string;
  readonly tags: readonly string[];
  readonly fields: ReadonlyMap<string, unknown>;
}

/** The tag that the vendor puts on a ticket that was merged into another. */
export const mergedTag = "closed_by_merge";

/** Undefined for a ticket that was deleted: the vendor lists it for a while. */
export function toTicket(body: z.output<typeof ticketBody>, address: string): Ticket | undefined {
  if (body.status === "deleted") return undefined;
  const { id } = body;
  return {
    id,
    number: id,
    url: agentUrl(address, id),
    standing: standingOf(body.status),
    requesterId: body.requester_id,
    updatedAt: body.updated_at,
    tags: body.tags,
    fields: new Map(body.custom_fields.map((field) => [field.id, field.value])),
  };
}

/** Where agents see the ticket. */
export function agentUrl(address: string, id: string): string {
  return `${address}/agent/tickets/${id}`;
}

function standingOf(status: string): TicketStanding {
  if (status === "solved" || status === "closed") return status;
  return "open";
}

/** The ticket as the operations hand it back to us: one that `toTicket` made. */
export function asTicket(ticket: RemoteTicket): Ticket {
  if ("requesterId" in ticket && "updatedAt" in ticket) return ticket as Ticket;
  throw new AppError("internal", "a ticket came back without what was read of it");
}

const vendorStatus: Readonly<Record<Exclude<TicketStatus, "closed">, string>> = {
  new: "new",
  open: "open",
  pending: "pending",
  on_hold: "hold",
  solved: "solved",
};

/** The vendor's name of a status; `closed` is what the settings say. */
export function toVendorStatus(status: TicketStatus, { closeAs }: Config): string {
  return status === "closed" ? closeAs : vendorStatus[status];
}

const canonicalStatus: Readonly<Record<string, TicketStatus>> = {
  new: "new",
  open: "open",
  pending: "pending",
  hold: "on_hold",
  solved: "solved",
  closed: "closed",
  archived: "closed",
};

/** The canonical status of the vendor's, in whatever case it is written; undefined for one that says that the ticket is gone. */
export function toCanonicalStatus(status: string | undefined): TicketStatus | undefined {
  return canonicalStatus[status?.toLowerCase() ?? ""];
}

/** Tags as the vendor keeps them: in lower case, without blanks. */
export function toVendorTags(tags: readonly string[]): readonly string[] {
  return [...new Set(tags.map((tag) => tag.trim().toLowerCase().replaceAll(/\s+/g, "_")))].filter(
    (tag) => tag !== "",
  );
}

/** Custom fields by their ids. Throws `target_rejected` for a name that the connection does not know. */
export function toVendorFields(
  fields: TicketChanges["customFields"],
  { customFields }: Config,
): readonly { readonly id: number; readonly value: unknown }[] {
  return Object.entries(fields ?? {}).map(([name, value]) => {
    const id = Object.hasOwn(customFields, name) ? customFields[name] : undefined;
    if (id !== undefined) return { id, value };
    const known = Object.keys(customFields).join(", ") || "none";
    throw new AppError(
      "target_rejected",
      `no ticket field is configured under the name ${name} (known: ${known}); add it to customFields of the connection with its id`,
    );
  });
}

/** The object without its undefined members. */
export function known<T extends object>(facts: { readonly [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined)) as T;
}
