import { AppError } from "../errors.ts";
import type { OperationInput } from "../model/operation.ts";
import type { DeskOperations, EffectCall, EffectReceipt, EffectResult, RemoteObject } from "./desk.ts";
import type { RemoteMessage, RemoteTicket, TicketActions } from "./ticket-actions.ts";

type TicketOperations = Pick<
  DeskOperations,
  "ticket.open" | "ticket.reply" | "ticket.note" | "ticket.update" | "ticket.close" | "ticket.tag"
>;

type TicketOpen = OperationInput<"ticket.open">;

/**
 * The ticket operations of a desk that has no upserts and no idempotency keys for everything, made of what it can do. Which ticket a key
 * names is kept in the links and, when they do not know, looked up on the desk. A ticket that was deleted there is made anew by
 * `ticket.open`; the other operations answer `target_not_found`.
 */
export function createTicketOperations(actions: TicketActions): TicketOperations {
  return {
    "ticket.open": (input, call) => openTicket(actions, input, call),
    "ticket.reply": (input, call) => say(actions, input.key, input.message, "public", call),
    "ticket.note": (input, call) => say(actions, input.key, input.message, "internal", call),
    "ticket.update": async ({ key, ...changes }, call) => {
      const { ticket, matches } = await mustLocate(actions, key, call);
      await actions.update(ticket, changes, call.signal);
      return receipt("updated", "ticket", ticket, matches);
    },
    "ticket.close": async ({ key, message }, call) => {
      const located = await mustLocate(actions, key, call);
      const { standing } = located.ticket;
      if (standing === "closed" || (standing === "solved" && message === undefined)) {
        return receipt("unchanged", "ticket", located.ticket);
      }
      if (message !== undefined) {
        await add(
          actions,
          located.ticket,
          { text: message, direction: "outbound", visibility: "public" },
          call,
        );
      }
      await actions.update(located.ticket, { status: "closed" }, call.signal);
      return receipt("updated", "ticket", located.ticket, located.matches);
    },
    "ticket.tag": async ({ key, add: added, remove }, call) => {
      const { ticket, matches } = await mustLocate(actions, key, call);
      await actions.tag(ticket, { add: added, remove }, call.signal);
      return receipt("updated", "ticket", ticket, matches);
    },
  };
}

/** What a key names on the desk. `gone` is the id of a ticket that it named and that is no longer there. */
interface Located {
  readonly ticket: RemoteTicket | undefined;
  readonly gone?: string;
  readonly matches?: number;
}

async function locate(
  actions: TicketActions,
  key: string,
  { links, signal }: EffectCall,
  requester?: TicketOpen["requester"],
): Promise<Located> {
  const known = await links.get("ticket", key);
  if (known !== undefined) {
    const ticket = await actions.read(known.id, signal);
    if (ticket !== undefined) {
      // Merged on the desk: the key names the ticket that is left.
      if (ticket.id !== known.id) await links.set("ticket", key, plain(ticket));
      return { ticket };
    }
  }
  const found = (await actions.find(key, signal, requester)).filter((ticket) => ticket.id !== known?.id);
  // Of tickets that are done with, the newest: it may be the follow-up of the others.
  const ticket = found.find(({ standing }) => standing === "open") ?? found.at(-1);
  if (ticket !== undefined) await links.set("ticket", key, plain(ticket));
  return {
    ticket,
    ...(known === undefined ? {} : { gone: known.id }),
    ...(found.length > 1 ? { matches: found.length } : {}),
  };
}

async function mustLocate(
  actions: TicketActions,
  key: string,
  call: EffectCall,
): Promise<Located & { readonly ticket: RemoteTicket }> {
  const located = await locate(actions, key, call);
  const { ticket } = located;
  if (ticket === undefined) {
    throw new AppError(
      "target_not_found",
      "no ticket has this key on the desk, or it was deleted there; open one with ticket.open first",
    );
  }
  return { ...located, ticket };
}

async function openTicket(
  actions: TicketActions,
  input: TicketOpen,
  call: EffectCall,
): Promise<EffectReceipt> {
  const appends = call.begun("message");
  // What an earlier try began is gone on with: by now its own ticket may be what the key names.
  if (call.begun("create") && !appends) return create(actions, input, call, "create", undefined);
  const { ticket, gone, matches } = await locate(actions, input.key, call, input.requester);
  if (call.begun("follow-up") && !appends) return followUp(actions, input, call, ticket);
  if (ticket === undefined) return create(actions, input, call, "create", gone);
  if (ticket.standing !== "open" && !appends) {
    if (input.onClosed === "ignore") return receipt("ignored", "ticket", ticket);
    if (input.onClosed === "followUp" || ticket.standing === "closed") {
      return followUp(actions, input, call, ticket);
    }
  }
  return append(actions, ticket, input, call, matches);
}

async function followUp(
  actions: TicketActions,
  input: TicketOpen,
  call: EffectCall,
  closed: RemoteTicket | undefined,
): Promise<EffectReceipt> {
  return create(actions, input, call, "follow-up", closed?.id, closed);
}

async function create(
  actions: TicketActions,
  input: TicketOpen,
  call: EffectCall,
  step: "create" | "follow-up",
  replaces: string | undefined,
  followUpOf?: RemoteTicket,
): Promise<EffectReceipt> {
  const { onClosed: _, ...facts } = input;
  const { signal, effectKey } = call;
  const made = await call.once({
    step,
    send: () => actions.create({ ...facts, followUpOf, marker: effectKey }, signal),
    find: async () => {
      const found = await actions.find(input.key, signal, input.requester);
      // Oldest first: those before the ticket that is followed up are of earlier times.
      return found.slice(found.findIndex(({ id }) => id === replaces) + 1).map(plain);
    },
    claims: { kind: "ticket", key: input.key, ...(replaces === undefined ? {} : { replaces }) },
  });
  if (made.how === "taken") {
    const ticket = await actions.read(made.object.id, signal);
    if (ticket !== undefined) return append(actions, ticket, input, call);
    throw new AppError("target_conflict", "the ticket that the key names was deleted on the desk just now");
  }
  const result = step === "create" ? "created" : "followed_up";
  const replayed = made.how === "sent" ? {} : { replayed: true };
  return { ...receipt(result, "ticket", made.object, made.matches), ...replayed };
}

async function append(
  actions: TicketActions,
  ticket: RemoteTicket,
  { message: text, visibility, tags }: TicketOpen,
  call: EffectCall,
  matches?: number,
): Promise<EffectReceipt> {
  // Before the message, which sets off rules of the desk's own that may write tags too.
  if (tags.length > 0) await actions.tag(ticket, { add: tags, remove: [] }, call.signal);
  const added = await add(actions, ticket, { text, direction: "inbound", visibility }, call);
  const result = ticket.standing === "open" ? "appended" : "reopened";
  return { ...receipt(result, "ticket", ticket, matches), ...(added.replayed ? { replayed: true } : {}) };
}

async function say(
  actions: TicketActions,
  key: string,
  text: string,
  visibility: "public" | "internal",
  call: EffectCall,
): Promise<EffectReceipt> {
  const { ticket, matches } = await mustLocate(actions, key, call);
  const { object, replayed } = await add(actions, ticket, { text, direction: "outbound", visibility }, call);
  return { ...receipt("appended", "message", object, matches), ...(replayed ? { replayed: true } : {}) };
}

type NewMessage = Pick<RemoteMessage, "text" | "direction" | "visibility">;

async function add(
  actions: TicketActions,
  ticket: RemoteTicket,
  message: NewMessage,
  { once, effectKey, signal }: EffectCall,
): Promise<{ readonly object: RemoteObject; readonly replayed: boolean }> {
  const reopens = message.direction === "inbound" && ticket.standing !== "open";
  const { how, object } = await once({
    step: "message",
    send: () => actions.say(ticket, { ...message, marker: effectKey, reopens }, signal),
    find: () => actions.saidWith(ticket, effectKey, signal),
  });
  return { object, replayed: how !== "sent" };
}

function receipt(result: EffectResult, kind: string, object: RemoteObject, matches?: number): EffectReceipt {
  return { result, kind, ...plain(object), ...(matches === undefined ? {} : { matches }) };
}

/** The object's id, number and address, and nothing else that a driver may keep with it. */
function plain({ id, number, url }: RemoteObject): RemoteObject {
  return {
    id,
    ...(number === undefined ? {} : { number }),
    ...(url === undefined ? {} : { url }),
  };
}
