import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { z } from "zod";
import { contact } from "../../src/desk/schema-contact.ts";
import { pageOf } from "../../src/desk/schema-text.ts";
import { ticket } from "../../src/desk/schema-ticket.ts";
import { ticketStatuses } from "../../src/model/data.ts";
import type { DeskStand } from "../support/desk.ts";
import { openDeskStand } from "../support/desk.ts";

type Ticket = z.output<typeof ticket>;

let stand: DeskStand;
/** Every ticket as it was last answered. */
const tickets = new Map<string, Ticket>();

beforeAll(async () => {
  stand = await openDeskStand();
  await fill(120);
});
afterAll(() => stand.close());

async function fill(count: number): Promise<void> {
  const pick = <T>(items: readonly T[], index: number): T => items[index % items.length] as T;
  for (let index = 0; index < count; index += 1) {
    const body = {
      subject: `ticket ${index}`,
      requester: { email: `reader-${index % 7}@example.com` },
      status: pick(ticketStatuses, index),
      channel: pick(["email", "chat", "api"], index),
      tags: [pick(["red", "green"], index), ...(index % 40 === 0 ? ["rare"] : [])],
      orders: index % 3 === 0 ? [{ source: "shop", external_id: `order-${index % 4}` }] : [],
      ...(index % 5 === 0 ? { assignee: "Ada" } : {}),
    };
    await keep(await stand.send({ method: "POST", path: "/v1/tickets", body }));
  }
  // Some are changed later, so that the order of changes is not that of creation.
  for (const id of [...tickets.keys()].filter((_, index) => index % 4 === 1)) {
    await keep(await stand.send({ method: "PATCH", path: `/v1/tickets/${id}`, body: { priority: "high" } }));
  }
}

async function keep({ json }: { json: unknown }): Promise<void> {
  const made = ticket.parse(json);
  tickets.set(made.id, made);
}

async function readAll(query: Record<string, string>): Promise<Ticket[]> {
  const found: Ticket[] = [];
  let cursor: string | null = null;
  do {
    const parameters = new URLSearchParams({ ...query, ...(cursor === null ? {} : { cursor }) });
    const answer = await stand.send({ method: "GET", path: `/v1/tickets?${parameters.toString()}` });
    expect([answer.status, answer.status === 200 ? "" : answer.text]).toEqual([200, ""]);
    const page = pageOf(ticket).parse(answer.json);
    found.push(...page.data);
    cursor = page.next_cursor;
  } while (cursor !== null);
  return found;
}

interface Filter {
  readonly status: string | undefined;
  readonly tag: string | undefined;
  readonly requester: number | undefined;
  readonly channel: string | undefined;
  readonly assignee: string | undefined;
  readonly order: string | undefined;
}

const filters: fc.Arbitrary<Filter> = fc.record({
  status: fc.option(fc.constantFrom("open", "new,closed", ...ticketStatuses), { nil: undefined }),
  tag: fc.option(fc.constantFrom("red", "green", "rare", "none"), { nil: undefined }),
  requester: fc.option(fc.integer({ min: 0, max: 6 }), { nil: undefined }),
  channel: fc.option(fc.constantFrom("email", "chat", "fax"), { nil: undefined }),
  assignee: fc.option(fc.constantFrom("Ada", "Nobody"), { nil: undefined }),
  order: fc.option(fc.constantFrom("order-0", "order-3", "order-9"), { nil: undefined }),
});

function matches(one: Ticket, filter: Filter): boolean {
  return (
    (filter.status?.split(",").includes(one.status) ?? true) &&
    (filter.tag === undefined || one.tags.includes(filter.tag)) &&
    (filter.requester === undefined || one.requester.email === `reader-${filter.requester}@example.com`) &&
    (filter.channel === undefined || one.channel === filter.channel) &&
    (filter.assignee === undefined || one.assignee === filter.assignee) &&
    (filter.order === undefined || one.orders.some((order) => order.external_id === filter.order))
  );
}

function queryOf(filter: Filter): Record<string, string> {
  const requester = [...tickets.values()].find(
    (one) => one.requester.email === `reader-${filter.requester}@example.com`,
  );
  const all = {
    status: filter.status,
    tag: filter.tag,
    requester_id: filter.requester === undefined ? undefined : requester!.requester.id,
    channel: filter.channel,
    assignee: filter.assignee,
    order_source: filter.order === undefined ? undefined : "shop",
    order_external_id: filter.order,
  };
  return Object.fromEntries(
    Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

const compare = {
  created_at: (a: Ticket, b: Ticket) => a.number - b.number,
  updated_at: (a: Ticket, b: Ticket) => a.updated_at.localeCompare(b.updated_at) || a.number - b.number,
};

describe("GET /v1/tickets", () => {
  it("answers any filter, sort and page size as a plain walk over all tickets would", async () => {
    const property = fc.asyncProperty(
      filters,
      fc.constantFrom("created_at", "updated_at"),
      fc.boolean(),
      fc.integer({ min: 1, max: 60 }),
      async (filter, sort, descending, limit) => {
        const expected = [...tickets.values()]
          .filter((one) => matches(one, filter))
          .sort(compare[sort as "created_at"]);
        if (descending) expected.reverse();
        const query = { ...queryOf(filter), sort: `${descending ? "-" : ""}${sort}`, limit: String(limit) };
        const found = await readAll(query);
        expect(found.map(({ id }) => id)).toEqual(expected.map(({ id }) => id));
      },
    );
    await fc.assert(property, { numRuns: 60 });
  });

  it("lists the newest first unless told, fifty at a time", async () => {
    const { json } = await stand.send({ method: "GET", path: "/v1/tickets" });
    const page = pageOf(ticket).parse(json);
    expect(page.data.map(({ number }) => number)).toEqual(
      [...tickets.values()]
        .map(({ number }) => number)
        .sort((a, b) => b - a)
        .slice(0, 50),
    );
    expect(page.data[0]).toEqual(tickets.get(page.data[0]!.id));
  });

  it("gives a sync what changed after a time, in the order of change", async () => {
    const ordered = [...tickets.values()].sort(compare.updated_at);
    const since = ordered[60]!.updated_at;
    const found = await readAll({ updated_after: since, limit: "17" });
    // A time in an answer is cut to milliseconds, so the ticket itself is a fraction later.
    const expected = ordered.filter((one) => one.updated_at >= since);
    expect(found.map(({ id }) => id)).toEqual(expected.map(({ id }) => id));
  });

  it.each([
    ["status=broken", "status"],
    ["status=", "status"],
    ["limit=0", "limit"],
    ["limit=201", "limit"],
    ["limit=many", "limit"],
    ["sort=subject", "sort"],
    ["updated_after=yesterday", "updated_after"],
    ["requester_id=7", "requester_id"],
    ["order_source=shop", "order_source"],
    ["cursor=!", "cursor"],
    ["status=open&status=new", "status"],
    ["colour=red", "colour"],
  ])("refuses %s and names the field", async (query, field) => {
    const { status, json } = await stand.send({ method: "GET", path: `/v1/tickets?${query}` });
    const { fields } = json as { fields: { path: string }[] };
    expect([status, fields.map(({ path }) => path.split(".")[0])]).toEqual([400, [field]]);
  });
});

describe("GET /v1/contacts", () => {
  it("pages through all of them, newest first", async () => {
    const numbers: number[] = [];
    let cursor: string | null = "";
    while (cursor !== null) {
      const path: string = `/v1/contacts?limit=3${cursor === "" ? "" : `&cursor=${cursor}`}`;
      const page: { data: { id: string }[]; next_cursor: string | null } = pageOf(contact).parse(
        (await stand.send({ method: "GET", path })).json,
      );
      numbers.push(...page.data.map(({ id }) => Number(id.slice(4))));
      cursor = page.next_cursor;
    }
    expect(numbers).toEqual([7, 6, 5, 4, 3, 2, 1]);
  });
});

describe("the plans of the hot queries", () => {
  it("read indexes only, on tables large enough for it to matter", async () => {
    const client = await stand.connect("enable_seqscan=off", "jit=off");
    await client.query(`insert into ticket (subject, status, priority, channel, requester, tags)
      select 's', (enum_range(null::ticket_status))[1 + i % 6], 'low', 'api', 1 + i % 5, '{bulk}' from generate_series(1, 20000) i`);
    await client.query("insert into ticket_tag select 'bulk', id from ticket where tags = '{bulk}'");
    await client.query("insert into ticket_ref select 'bulk-' || id, 'x', id from ticket");
    await client.query(`insert into message (ticket, direction, visibility, author_type, text)
      select id, 'inbound', 'public', 'system', 'm' from ticket`);
    await client.query("analyze");
    const hot = [
      "select * from ticket t order by t.id desc limit 51",
      "select * from ticket t where t.status = 'open' order by t.id desc limit 51",
      "select * from ticket t where t.requester = 3 order by t.id desc limit 51",
      "select * from ticket t where t.channel = 'api' order by t.id desc limit 51",
      "select * from ticket t where t.assignee = 'Ada' order by t.id desc limit 51",
      "select * from ticket t join ticket_tag g on g.ticket = t.id where g.tag = 'bulk' order by t.id desc limit 51",
      "select * from ticket t where t.updated_at > now() - interval '1 hour' order by t.updated_at, t.id limit 51",
      "select * from ticket_ref r join ticket t on t.id = r.ticket where r.source = 'x' and r.external_id = 'bulk-9'",
      "select * from message m where m.ticket = 9 order by m.id limit 51",
      "select * from contact_identity where value = 'x' and kind = 'email' and source = ''",
      "select * from idempotency where key = 'x' and scope = 'api'",
      "select * from change where ticket = 9 order by tx, id",
      "select * from change where (tx, id) > (5, 5) order by tx, id limit 100",
    ];
    for (const query of hot) {
      const { rows } = await client.query<{ "QUERY PLAN": string }>(`explain ${query}`);
      const plan = rows.map((row) => row["QUERY PLAN"]).join("\n");
      expect([query, plan.match(/Seq Scan.*|Sort .*/g) ?? []]).toEqual([query, []]);
    }
  });
});
