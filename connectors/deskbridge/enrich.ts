import { AppError } from "deskbridge/sdk";
import type { Enricher, Event, EventData, HttpClient } from "deskbridge/sdk";
import { z } from "zod";
import * as told from "./event.ts";

const ownKey = z.object({ id: z.string() });
const messagePage = z.object({ data: z.array(told.message), next_cursor: z.string().nullable() });

type Get = <S extends z.ZodType>(
  path: string,
  schema: S,
  signal: AbortSignal,
) => Promise<z.output<S> | undefined>;

/**
 * Fetches what a change does not carry: the object, for one that came by the feed; the ticket of a message. And says whether we did it
 * ourselves. What has been erased or merged since stays as it is.
 */
export function createEnricher(http: HttpClient, refSource: string): Enricher {
  const get: Get = async (path, schema, signal) => {
    const { status, body } = await http.request({ method: "GET", path, accept: [308, 404, 410], signal });
    if (status !== 200) return undefined;
    const parsed = schema.safeParse(body);
    if (parsed.success) return parsed.data;
    throw new AppError(
      "target_protocol",
      "the answer is not that of a Support API; check the connection's url",
    );
  };
  // A key's id never changes; what was asked in vain is asked again.
  let known: string | undefined;
  const own = async (signal: AbortSignal): Promise<string | undefined> =>
    (known ??= (await get("/v1/key", ownKey, signal))?.id);

  return async (event, signal) => {
    const filled = await withFacts(event, { get, refSource, signal });
    const { actor } = filled.data as { readonly actor?: { readonly id: string } };
    if (actor === undefined) return filled;
    const isOwn = actor.id === (await own(signal));
    return { ...filled, data: { ...filled.data, actor: { ...actor, own: isOwn } } };
  };
}

interface Lookup {
  readonly get: Get;
  readonly refSource: string;
  readonly signal: AbortSignal;
}

async function withFacts(event: Event, lookup: Lookup): Promise<Event> {
  const { data } = event;
  if ("message" in data) return { ...event, data: await withMessage(data, lookup) };
  if ("ticket" in data && "actor" in data) return { ...event, data: await withTicket(data, lookup) };
  const hasObject = typeof event.raw === "object" && event.raw !== null && "object" in event.raw;
  if (!event.type.startsWith("contact.") || !("contact" in data) || hasObject) return event;
  return { ...event, data: await withContact(data as EventData<"contact.updated">, lookup) };
}

async function withTicket<
  T extends { readonly ticket?: { readonly id: string; readonly subject?: string | undefined } | undefined },
>(data: T, { get, refSource, signal }: Lookup): Promise<T> {
  if (data.ticket === undefined || data.ticket.subject !== undefined) return data;
  const found = await get(`/v1/tickets/${data.ticket.id}`, told.ticket, signal);
  return found === undefined ? data : { ...data, ...told.ticketFacts(found, refSource) };
}

async function withMessage(
  data: EventData<"message.created">,
  lookup: Lookup,
): Promise<EventData<"message.created">> {
  const filled = await withTicket(data, lookup);
  if (filled.message.direction !== undefined) return filled;
  const found = await findMessage(filled.ticket.id, filled.message.id, lookup);
  return found === undefined ? filled : { ...filled, message: told.messageFacts(found) };
}

/** Newest first: what has just come is on the first page. */
async function findMessage(
  ticketId: string,
  id: string,
  { get, signal }: Lookup,
): Promise<z.output<typeof told.message> | undefined> {
  const path = `/v1/tickets/${ticketId}/messages?sort=-created_at&limit=200`;
  let cursor: string | null = null;
  do {
    const next: string = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const page: z.output<typeof messagePage> | undefined = await get(path + next, messagePage, signal);
    const found = page?.data.find((one) => one.id === id);
    if (found !== undefined) return found;
    cursor = page?.next_cursor ?? null;
  } while (cursor !== null);
  return undefined;
}

async function withContact(
  data: EventData<"contact.updated">,
  { get, refSource, signal }: Lookup,
): Promise<EventData<"contact.updated">> {
  const found = await get(`/v1/contacts/${data.contact.id}`, told.contact, signal);
  return found === undefined
    ? data
    : { ...data, contact: { ...data.contact, ...told.contactFacts(found, refSource) } };
}
