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

/** The ticket that the link names, without a search. */
async function followLink(
  actions: TicketActions,
  key: string,
  { links, signal }: EffectCall,
): Promise<Pick<Located, "ticket" | "gone">> {
  const known = await links.get("ticket", key);
  if (known === undefined) return { ticket: undefined };
  const ticket = await actions.read(known.id, signal);
  if (ticket === undefined || isElsewhere(known, ticket)) return { ticket: undefined, gone: known.id };
  // Merged on the desk: the key names the ticket that is left.
  if (ticket.id !== known.id) await links.set("ticket", key, plain(ticket));
  return { ticket };
}

/** The connection's settings name another account by now, where the id is that of somebody else's ticket. */
function isElsewhere(known: RemoteObject, ticket: RemoteTicket): boolean {
  if (known.url === undefined || ticket.url === undefined) return false;
  return URL.parse(known.url)?.origin !== URL.parse(ticket.url)?.origin;
}

async function locate(
  actions: TicketActions,
  key: string,
  call: EffectCall,
  requester?: TicketOpen["requester"],
): Promise<Located> {
  const linked = await followLink(actions, key, call);
  if (linked.ticket !== undefined) return linked;
  const { gone } = linked;
  const found = (await actions.find(key, call.signal, requester)).filter((ticket) => ticket.id !== gone);
  const ticket = preferred(found);
  if (ticket !== undefined) await call.links.set("ticket", key, plain(ticket));
  return {
    ticket,
    ...(gone === undefined ? {} : { gone }),
    ...(found.length > 1 ? { matches: found.length } : {}),
  };
}

/** Of tickets that are done with, the newest: it may be the follow-up of the others. */
function preferred(found: readonly RemoteTicket[]): RemoteTicket | undefined {
  return found.find(({ standing }) => standing === "open") ?? found.at(-1);
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
  if (call.begun("create") && !appends) {
    const { gone } = await followLink(actions, input.key, call);
    return create(actions, input, call, { step: "create", replaces: gone });
  }
  const { ticket, gone, matches } = await locate(actions, input.key, call, input.requester);
  if (call.begun("follow-up") && !appends) return create(actions, input, call, following(ticket));
  if (ticket === undefined) return create(actions, input, call, { step: "create", replaces: gone });
  if (ticket.standing !== "open" && !appends) {
    if (input.onClosed === "ignore") return receipt("ignored", "ticket", ticket);
    if (input.onClosed === "followUp" || ticket.standing === "closed") {
      const last = await lastFollowUp(actions, input, call, ticket);
      if (last.standing !== "open") return create(actions, input, call, following(last));
      return append(actions, last, input, call);
    }
  }
  return append(actions, ticket, input, call, matches);
}

/** One that is open by now was made by another effect, and is not followed up. */
function following(ticket: RemoteTicket | undefined): Making {
  const over = ticket?.standing === "open" ? undefined : ticket;
  return { step: "follow-up", replaces: over?.id, followUpOf: over };
}

/** The link may not know of a follow-up yet whose maker was cut off: the desk is asked before another one is made. */
async function lastFollowUp(
  actions: TicketActions,
  { key, requester }: TicketOpen,
  { links, signal }: EffectCall,
  ticket: RemoteTicket,
): Promise<RemoteTicket> {
  const found = await actions.find(key, signal, requester);
  const later = preferred(found.slice(found.findIndex(({ id }) => id === ticket.id) + 1));
  // Where the search does not show the ticket itself, it cannot tell what came after it.
  if (later === undefined || !found.some(({ id }) => id === ticket.id)) return ticket;
  await links.set("ticket", key, plain(later));
  return later;
}

/** A ticket to be made: what for, and which one it takes the place of. */
interface Making {
  readonly step: "create" | "follow-up";
  readonly replaces: string | undefined;
  readonly followUpOf?: RemoteTicket | undefined;
}

async function create(
  actions: TicketActions,
  input: TicketOpen,
  call: EffectCall,
  { step, replaces, followUpOf }: Making,
): Promise<EffectReceipt> {
  const { onClosed: _, ...facts } = input;
  const { signal, effectKey } = call;
  const made = await call.once({
    step,
    send: () => actions.create({ ...facts, followUpOf, marker: effectKey }, signal),
    ...(replaces === undefined ? {} : { place: { id: replaces } }),
    find: (place) => findMade(actions, input, call, place?.id),
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

/**
 * The tickets that this effect has made. One of the key without its message was made by another meanwhile, who took over after a long silence:
 * the key names it from now on, and the message goes there.
 */
async function findMade(
  actions: TicketActions,
  { key, requester }: TicketOpen,
  { effectKey, links, signal }: EffectCall,
  replaces: string | undefined,
): Promise<readonly RemoteObject[]> {
  const found = await actions.find(key, signal, requester);
  // Oldest first: those before the ticket that is replaced are of earlier times.
  const recent = found.slice(
    Math.max(
      0,
      found.findIndex(({ id }) => id === replaces),
    ),
  );
  const own: RemoteObject[] = [];
  for (const ticket of recent) {
    const said = await actions.saidWith(ticket, effectKey, signal);
    if (said.length > 0) own.push(plain(ticket));
  }
  const other = preferred(recent);
  if (own.length === 0 && other !== undefined) await links.set("ticket", key, plain(other));
  return own;
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
    place: plain(ticket),
    find: (place) => findSaid(actions, ticket, place ?? ticket, { effectKey, signal }),
  });
  return { object, replayed: how !== "sent" };
}

/** An earlier try may have said it on another ticket, which the key named before it was merged or followed up. What was deleted is not there. */
async function findSaid(
  actions: TicketActions,
  ticket: RemoteTicket,
  place: RemoteObject,
  { effectKey, signal }: Pick<EffectCall, "effectKey" | "signal">,
): Promise<readonly RemoteObject[]> {
  if (place.id === ticket.id) return actions.saidWith(ticket, effectKey, signal);
  if (isElsewhere(place, ticket)) return [];
  try {
    return await actions.saidWith({ ...place, standing: "closed" }, effectKey, signal);
  } catch (error) {
    if (error instanceof AppError && error.code === "target_not_found") return [];
    throw error;
  }
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
