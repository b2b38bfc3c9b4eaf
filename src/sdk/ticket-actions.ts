import type { OperationInput } from "../model/operation.ts";
import type { RemoteObject } from "./desk.ts";

/**
 * What may be done to a ticket on its desk: `open` (new, open, pending, on hold) takes messages, `solved` can be opened again, `closed` is
 * closed for good and at most has a follow-up.
 */
export type TicketStanding = "open" | "solved" | "closed";

/** A ticket as the desk has it now. */
export interface RemoteTicket extends RemoteObject {
  readonly standing: TicketStanding;
}

/** A message to be added. `marker` goes with it in a form by which it can be found again; customers never see it. */
export interface RemoteMessage {
  readonly text: string;
  /** `inbound`: in the customer's name. `outbound`: from us. */
  readonly direction: "inbound" | "outbound";
  readonly visibility: "public" | "internal";
  readonly marker: string;
  /** The ticket is opened again with it. */
  readonly reopens: boolean;
}

type TicketOpen = OperationInput<"ticket.open">;

/** A ticket to be made. `key` is kept on it as its external id. */
export interface NewTicket extends Omit<TicketOpen, "onClosed"> {
  /** The ticket that this one follows up, closed for good. */
  readonly followUpOf: RemoteTicket | undefined;
  /** The effect key: goes with the first message, so that `saidWith` finds it there, and as an idempotency key where the desk takes one. */
  readonly marker: string;
}

export type TicketChanges = Omit<OperationInput<"ticket.update">, "key">;

/** The order facts that came with an operation. */
export type OrderFacts = OperationInput<"order.upsert">;

/**
 * What a desk without upserts can do to tickets; `createTicketOperations` makes the operations of it. Every method is one call to the desk, or
 * several of which a repeat does no harm. They throw classified `AppError`s (`target_*`).
 */
export interface TicketActions {
  /**
   * The tickets whose external id is the key, oldest first, without deleted ones. `requester` is who the ticket is for, where the operation says
   * it: on a desk that cannot be asked for external ids, their tickets can be looked through.
   */
  readonly find: (
    key: string,
    signal: AbortSignal,
    requester?: NewTicket["requester"],
  ) => Promise<readonly RemoteTicket[]>;
  /** The ticket now; the one it was merged into where the desk tells; undefined when it was deleted. */
  readonly read: (id: string, signal: AbortSignal) => Promise<RemoteTicket | undefined>;
  /** Makes a ticket with its first message, requester and all, in one call. */
  readonly create: (ticket: NewTicket, signal: AbortSignal) => Promise<RemoteObject>;
  /** Adds a message and answers the message. */
  readonly say: (ticket: RemoteTicket, message: RemoteMessage, signal: AbortSignal) => Promise<RemoteObject>;
  /** The messages on the ticket that carry the marker, oldest first. */
  readonly saidWith: (
    ticket: RemoteTicket,
    marker: string,
    signal: AbortSignal,
  ) => Promise<readonly RemoteObject[]>;
  /** Sets what is given; a repeat changes nothing. */
  readonly update: (ticket: RemoteTicket, changes: TicketChanges, signal: AbortSignal) => Promise<void>;
  /** Adds and removes tags without touching others, as far as the desk allows. */
  readonly tag: (
    ticket: RemoteTicket,
    tags: { readonly add: readonly string[]; readonly remove: readonly string[] },
    signal: AbortSignal,
  ) => Promise<void>;
}
