import { AppError } from "deskbridge/sdk";
import type { RemoteTicket } from "deskbridge/sdk";
import type { GorgiasApi } from "./api.ts";
import { parseAnswer, ticket as ticketSchema } from "./object.ts";
import type { Ticket } from "./object.ts";
import { replace } from "./replace.ts";
import { isKnown, isTrashed } from "./ticket.ts";

type Json = Readonly<Record<string, unknown>>;

/** Reads and changes single tickets. */
export interface TicketAccess {
  /** Undefined when the ticket was deleted or is in the trash. */
  readonly read: (id: string, signal: AbortSignal) => Promise<Ticket | undefined>;
  readonly put: (id: string, body: Json, signal: AbortSignal) => Promise<void>;
  /** Changes what a write replaces as a whole, from what was read of the ticket already; see `replace`. */
  readonly replaceIn: (
    ticket: RemoteTicket,
    change: (now: Ticket) => Json | undefined,
    signal: AbortSignal,
  ) => Promise<void>;
}

export function createTicketAccess(api: GorgiasApi): TicketAccess {
  const pathOf = (id: string): string => `/api/tickets/${id}`;
  const read: TicketAccess["read"] = async (id, signal) => {
    const answer = await api.request({ method: "GET", path: pathOf(id), signal, accept: [404, 410] });
    if (answer.status >= 300) return undefined;
    const ticket = parseAnswer(ticketSchema, "a ticket", answer);
    return isTrashed(ticket) ? undefined : ticket;
  };
  const put: TicketAccess["put"] = async (id, body, signal) => {
    await api.request({ method: "PUT", path: pathOf(id), body, signal });
  };
  return {
    read,
    put,
    replaceIn: async (ticket, change, signal) => {
      const again = async (): Promise<Ticket> => {
        const now = await read(ticket.id, signal);
        if (now !== undefined) return now;
        throw new AppError("target_not_found", `ticket ${ticket.id} was deleted on the desk just now`);
      };
      const from = isKnown(ticket) ? ticket.facts : await again();
      await replace({ from, change, write: (body) => put(ticket.id, body, signal), read: again });
    },
  };
}
