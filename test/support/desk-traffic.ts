import fc from "fast-check";
import type { DeskRequest, DeskStand } from "./desk.ts";

/** Something that somebody does on a desk; what is refused does no harm. */
export type Act = (traffic: Traffic) => Promise<void>;

/** Random work on a desk over its API, with what there is to work on. */
export interface Traffic {
  readonly tickets: string[];
  readonly contacts: string[];
  readonly orders: string[];
  readonly call: (method: DeskRequest["method"], path: string, body?: unknown) => Promise<unknown>;
  /** How many requests were carried out. */
  readonly count: () => number;
}

export function createTraffic(stand: Pick<DeskStand, "send">): Traffic {
  let count = 0;
  return {
    tickets: [],
    contacts: [],
    orders: [],
    count: () => count,
    call: async (method, path, body) => {
      const answer = await stand.send({ method, path, ...(body === undefined ? {} : { body }) });
      if (answer.status >= 500) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
      if (answer.status >= 300) return undefined;
      count += 1;
      return answer.json;
    },
  };
}

const people = ["ada", "grace", "linus", "barbara"] as const;
const person = fc.constantFrom(...people).map((name) => ({
  email: `${name}@example.com`,
  name: `${name} Lovelace-${name}`,
}));
/** Some mention people by name, in tickets of others too. */
const words = fc.constantFrom(
  "Where is it?",
  "ask ada@example.com",
  'barbara said "no",\nthen',
  "",
  "grace@example.com",
);
const text = words.map((said) => (said === "" ? "…" : said));
const ref = fc.integer({ min: 1, max: 6 }).map((number) => `case-${number}`);
const place = fc.nat();

function pick(list: readonly string[], at: number): string {
  return list[at % Math.max(list.length, 1)] ?? "tkt_1";
}

function note(list: string[], made: unknown): void {
  const id = (made as { readonly id?: string } | undefined)?.id;
  if (id !== undefined && !list.includes(id)) list.push(id);
}

const tagList = fc.uniqueArray(fc.constantFrom("late", "lost", "ada-vip"), { maxLength: 2 });
const orders = fc.uniqueArray(
  fc.record({ source: fc.constantFrom("shop", "market"), external_id: fc.constantFrom("1001", "ord-2") }),
  { maxLength: 2, selector: ({ source, external_id: id }) => `${source} ${id}` },
);

const openTicket = fc
  .record({ person, text, ref, tags: tagList, orders, closed: fc.constantFrom("reopen", "follow_up") })
  .map((facts): Act => async ({ tickets, call }) => {
    const { person: requester, text: said, ref: name, closed, ...rest } = facts;
    const body = { subject: `About ${name}`, requester, message: { text: said, direction: "inbound" } };
    note(
      tickets,
      await call("PUT", `/v1/tickets/by-ref/shop/${name}`, { ...body, ...rest, repeat: { closed } }),
    );
  });

const newTicket = fc.record({ person, tags: tagList, orders }).map(
  ({ person: requester, ...rest }): Act =>
    async ({ tickets, call }) =>
      note(tickets, await call("POST", "/v1/tickets", { subject: "New", requester, ...rest })),
);

const message = fc
  .record({
    at: place,
    text,
    direction: fc.constantFrom("inbound", "outbound", "outbound"),
    visibility: fc.constantFrom("public", "public", "internal"),
    author: fc.constantFrom({ type: "agent", name: "Kim" }, { type: "system" }, undefined),
  })
  .map(({ at, author, ...body }): Act => async ({ tickets, call }) => {
    const said = author === undefined || body.direction === "inbound" ? body : { ...body, author };
    await call("POST", `/v1/tickets/${pick(tickets, at)}/messages`, said);
  });

const patchTicket = fc
  .record({
    at: place,
    change: fc.oneof(
      fc.constantFrom("open", "pending", "solved", "closed").map((status) => ({ status })),
      fc.constantFrom("kim", "lee", null).map((assignee) => ({ assignee })),
      fc.constantFrom("damage", "", "ada").map((reason) => ({ custom_fields: { reason } })),
      person.map((requester) => ({ requester })),
      fc.constant({ subject: "Another subject" }),
      tagList.map((tags) => ({ tags })),
    ),
  })
  .map(({ at, change }): Act => async ({ tickets, call }) => {
    await call("PATCH", `/v1/tickets/${pick(tickets, at)}`, change);
  });

const rate = fc
  .record({
    at: place,
    score: fc.integer({ min: 1, max: 5 }),
    comment: fc.constantFrom("good", "ada is great"),
  })
  .map(({ at, ...rating }): Act => async ({ tickets, call }) => {
    await call("POST", `/v1/tickets/${pick(tickets, at)}/csat`, rating);
  });

const mergeTickets = fc.tuple(place, place).map(([one, two]): Act => async ({ tickets, call }) => {
  await call("POST", `/v1/tickets/${pick(tickets, one)}/merge`, { into: pick(tickets, two) });
});

const order = fc
  .record({ id: fc.constantFrom("1001", "ord-2", "ada-3"), status: fc.constantFrom("paid", "sent"), person })
  .map(({ id, status, person: customer }): Act => async ({ orders: known, call }) => {
    note(known, await call("PUT", `/v1/orders/by-ref/shop/${id}`, { status, customer }));
  });

const link = fc
  .tuple(place, place, fc.constantFrom("PUT" as const, "DELETE" as const))
  .map(([ticket, one, method]): Act => async ({ tickets, orders: known, call }) => {
    if (known.length === 0) return;
    await call(method, `/v1/tickets/${pick(tickets, ticket)}/orders/${pick(known, one)}`);
  });

const contact = fc
  .record({ person, tier: fc.constantFrom("gold", "silver") })
  .map(({ person: who, tier }): Act => async ({ contacts, call }) => {
    const path = `/v1/contacts/by-ref/crm/${who.email.split("@")[0] ?? ""}`;
    note(contacts, await call("PUT", path, { ...who, custom_fields: { tier } }));
  });

const mergeContacts = fc
  .tuple(place, place, fc.constantFrom("merge", "unmerge"))
  .map(([one, two, verb]): Act => async ({ contacts, call }) => {
    if (contacts.length < 2) return;
    const body = verb === "merge" ? { into: pick(contacts, two) } : undefined;
    await call("POST", `/v1/contacts/${pick(contacts, one)}/${verb}`, body);
  });

const eraseContact = place.map((at): Act => async ({ contacts, call }) => {
  if (contacts.length > 0) await call("DELETE", `/v1/contacts/${pick(contacts, at)}`);
});

const businessHours = fc
  .constantFrom(null, { monday: [["09:00", "17:00"]], friday: [["08:00", "24:00"]] })
  .map(
    (hours): Act =>
      async ({ call }) =>
        void (await call("PUT", "/v1/business-hours", { time_zone: "Europe/Berlin", hours })),
  );

/** Everything that a desk's rows come from. */
export const acts: fc.Arbitrary<Act> = fc.oneof(
  { weight: 6, arbitrary: openTicket },
  { weight: 2, arbitrary: newTicket },
  { weight: 6, arbitrary: message },
  { weight: 6, arbitrary: patchTicket },
  { weight: 2, arbitrary: rate },
  { weight: 2, arbitrary: mergeTickets },
  { weight: 2, arbitrary: order },
  { weight: 4, arbitrary: link },
  { weight: 3, arbitrary: contact },
  { weight: 3, arbitrary: mergeContacts },
  { weight: 1, arbitrary: eraseContact },
  { weight: 1, arbitrary: businessHours },
);
