import { AppError } from "../../src/errors.ts";
import type { Desk } from "../../src/sdk/desk.ts";
import { createTicketOperations } from "../../src/sdk/ticket-operations.ts";
import type { RemoteTicket, TicketActions, TicketStanding } from "../../src/sdk/ticket-actions.ts";

/** A ticket on the desk in memory. */
export interface HeldTicket {
  readonly id: string;
  readonly key: string;
  readonly subject: string;
  readonly followUpOf: string | undefined;
  readonly messages: { readonly id: string; readonly text: string; readonly marker: string }[];
  readonly tags: Set<string>;
  standing: TicketStanding;
  mergedInto?: string;
  deleted?: boolean;
}

/** What happens to the next write: refused before it acts, lost on its way without a word, or done with its answer lost. */
export type WriteFault = "refused" | "unreached" | "dropped" | "lost" | "nonsense";

/** A desk in memory without idempotency keys: what was written can only be looked up. */
export interface LookupDesk {
  readonly desk: Desk;
  readonly tickets: HeldTicket[];
  /** Faults of the next writes, one each. */
  readonly faults: (WriteFault | undefined)[];
  /** Calls made so far, by the names of `TicketActions`. */
  readonly calls: string[];
}

const faultErrors: Readonly<Record<WriteFault, AppError>> = {
  refused: new AppError("target_rejected", "refused"),
  unreached: new AppError("target_unavailable", "no connection", { details: { reason: "ECONNREFUSED" } }),
  dropped: new AppError("target_timeout", "no complete answer in time"),
  lost: new AppError("target_unavailable", "the answer was lost"),
  nonsense: new AppError("target_protocol", "success with a nonsense body", { details: { status: 201 } }),
};

export function createLookupDesk(lagSeconds = 5, callSeconds = 30, account = "acme"): LookupDesk {
  const tickets: HeldTicket[] = [];
  const faults: (WriteFault | undefined)[] = [];
  const calls: string[] = [];
  let ids = 0;
  const write = async <T>(act: () => T): Promise<T> => {
    const fault = faults.shift();
    if (fault === "refused" || fault === "unreached" || fault === "dropped") throw faultErrors[fault];
    const result = act();
    if (fault !== undefined) throw faultErrors[fault];
    return result;
  };
  const held = (id: string): HeldTicket => {
    const found = tickets.find((ticket) => ticket.id === id);
    if (found === undefined) throw new AppError("target_not_found", "no such ticket");
    return found;
  };
  const show = ({ id, standing }: HeldTicket): RemoteTicket => ({
    id,
    number: id,
    url: `https://${account}.example.com/${id}`,
    standing,
  });
  const newId = (): string => String((ids += 1));
  const actions: TicketActions = {
    find: async (key) => {
      calls.push("find");
      return tickets.filter((ticket) => ticket.key === key && ticket.deleted !== true).map(show);
    },
    read: async (id) => {
      calls.push("read");
      const ticket = tickets.find((one) => one.id === id);
      if (ticket === undefined) return undefined;
      if (ticket.mergedInto !== undefined) return show(held(ticket.mergedInto));
      return ticket.deleted === true ? undefined : show(ticket);
    },
    create: async ({ key, subject, message, marker, followUpOf }) => {
      calls.push("create");
      return write(() => {
        const messages = [{ id: newId(), text: message, marker }];
        const id = newId();
        const facts = { id, key, subject, followUpOf: followUpOf?.id, tags: new Set<string>() };
        tickets.push({ ...facts, messages, standing: "open" });
        return { id, number: id, url: show(held(id)).url as string };
      });
    },
    say: async ({ id }, { text, marker, reopens }) => {
      calls.push("say");
      return write(() => {
        const ticket = held(id);
        if (reopens) ticket.standing = "open";
        const message = { id: newId(), text, marker };
        ticket.messages.push(message);
        return { id: message.id };
      });
    },
    saidWith: async ({ id }, marker) => {
      calls.push("saidWith");
      return held(id).messages.filter((message) => message.marker === marker);
    },
    update: async ({ id }, { status }) => {
      calls.push("update");
      await write(() => {
        if (status === "closed" || status === "solved") held(id).standing = "solved";
      });
    },
    tag: async ({ id }, { add, remove }) => {
      calls.push("tag");
      await write(() => {
        for (const tag of add) held(id).tags.add(tag);
        for (const tag of remove) held(id).tags.delete(tag);
      });
    },
  };
  const idempotency = { kind: "lookup", lagSeconds, callSeconds } as const;
  return { desk: { idempotency, operations: createTicketOperations(actions) }, tickets, faults, calls };
}
