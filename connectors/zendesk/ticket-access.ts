import { AppError } from "deskbridge/sdk";
import type { HttpRequest, RemoteTicket } from "deskbridge/sdk";
import type { z } from "zod";
import { parseAnswer } from "./api.ts";
import type { ZendeskApi } from "./api.ts";
import { readSurvivor } from "./audit.ts";
import { mergedTag, ticketAnswer, ticketList, toTicket } from "./ticket.ts";
import type { Ticket } from "./ticket.ts";

/** Merges are followed this far, so that two tickets that name each other end. */
const mergesFollowed = 5;
/** How often a change is tried anew that met another change of the same ticket. */
const collisionsTaken = 5;

/** The tickets with this external id, oldest first; the vendor does not keep them unique. */
export async function findTickets(
  api: ZendeskApi,
  key: string,
  signal: AbortSignal,
): Promise<readonly Ticket[]> {
  const query = { external_id: key, per_page: 100 };
  const { tickets } = await api.ask({ method: "GET", path: "/api/v2/tickets", query, signal }, ticketList);
  return tickets
    .flatMap((body) => toTicket(body, api.address) ?? [])
    .toSorted((a, b) => Number(a.id) - Number(b.id));
}

/** The ticket now, or the one that it was merged into where the audits tell; undefined when it was deleted. */
export async function readTicket(
  api: ZendeskApi,
  id: string,
  signal: AbortSignal,
): Promise<Ticket | undefined> {
  let ticket = await readOne(api, id, signal);
  for (let left = mergesFollowed; left > 0; left -= 1) {
    if (ticket?.standing !== "closed" || !ticket.tags.includes(mergedTag)) return ticket;
    const survivor = await readSurvivor(api, ticket.id, signal);
    const next = survivor === undefined ? undefined : await readOne(api, survivor, signal);
    if (next === undefined) return ticket;
    ticket = next;
  }
  return ticket;
}

async function readOne(api: ZendeskApi, id: string, signal: AbortSignal): Promise<Ticket | undefined> {
  const request: HttpRequest = { method: "GET", path: `/api/v2/tickets/${id}`, accept: [404], signal };
  const answer = await api.send(request);
  if (answer.status === 404) return undefined;
  return toTicket(parseAnswer(request, answer, ticketAnswer).ticket, api.address);
}

/**
 * Updates a ticket that was read just now. One that was deleted or closed for good since then is `target_conflict`: the next try reads it again
 * and decides anew. One that was known to be closed is `target_rejected`.
 */
export async function updateTicket<S extends z.ZodType>(
  api: ZendeskApi,
  { id, standing }: RemoteTicket,
  change: object,
  schema: S,
  signal: AbortSignal,
): Promise<z.output<S>> {
  try {
    const body = { ticket: change };
    return await api.ask({ method: "PUT", path: `/api/v2/tickets/${id}`, body, signal }, schema);
  } catch (error) {
    const status = error instanceof AppError ? error.details["status"] : undefined;
    if (status === 404) throw changedMeanwhile(id, "deleted", error);
    if (status !== 422) throw error;
    const now = await readOne(api, id, signal);
    if (now === undefined) throw changedMeanwhile(id, "deleted", error);
    if (now.standing !== "closed") throw error;
    throw standing === "closed" ? closedForGood(id, error) : changedMeanwhile(id, "closed", error);
  }
}

function closedForGood(id: string, cause: unknown): AppError {
  return new AppError(
    "target_rejected",
    `ticket ${id} is closed for good and takes no changes; open a follow-up with ticket.open`,
    { cause },
  );
}

function changedMeanwhile(id: string, what: "deleted" | "closed", cause: unknown): AppError {
  return new AppError("target_conflict", `ticket ${id} was ${what} on the desk just now`, { cause });
}

/** What goes with a write that must not undo another's. */
export interface SafeStamp {
  readonly safe_update: true;
  readonly updated_stamp: string;
}

/**
 * Reads the ticket and writes with the stamp of what was read; reads again when the vendor answers that it changed in between. `write` gives
 * undefined when nothing is left to be done. Resolves with whether something was written.
 */
export async function changeSafely(
  api: ZendeskApi,
  id: string,
  signal: AbortSignal,
  write: (fresh: Ticket, stamp: SafeStamp) => Promise<unknown> | undefined,
): Promise<boolean> {
  for (let left = collisionsTaken; ; left -= 1) {
    const fresh = await readOne(api, id, signal);
    if (fresh === undefined) throw changedMeanwhile(id, "deleted", undefined);
    try {
      const written = write(fresh, { safe_update: true, updated_stamp: fresh.updatedAt });
      await written;
      return written !== undefined;
    } catch (error) {
      const status = error instanceof AppError ? error.details["status"] : undefined;
      if (status === 422 && fresh.standing === "closed") throw closedForGood(id, error);
      if (status !== 409 || left === 0) throw error;
    }
  }
}
