import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { contact } from "../../src/desk/schema-contact.ts";
import { pageOf } from "../../src/desk/schema-text.ts";
import { ticket } from "../../src/desk/schema-ticket.ts";
import type { DeskAnswer, DeskRequest, DeskStand } from "../support/desk.ts";
import { openDeskStand } from "../support/desk.ts";

let stand: DeskStand;
let database: pg.Client;
let count = 0;

beforeAll(async () => {
  stand = await openDeskStand();
  database = await stand.connect();
});
afterAll(() => stand.close());

const fresh = (what: string): string => `${what}-${(count += 1)}`;

function send(method: DeskRequest["method"], path: string, body?: object): Promise<DeskAnswer> {
  return stand.send({ method, path, ...(body === undefined ? {} : { body }) });
}

function twenty(run: (index: number) => Promise<DeskAnswer>): Promise<DeskAnswer[]> {
  return Promise.all(Array.from({ length: 20 }, (_, index) => run(index)));
}

function tally(answers: readonly DeskAnswer[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { status, headers } of answers) {
    const name = `${status} ${headers["deskbridge-result"] ?? ""}`.trim();
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

async function make(): Promise<{ id: string; email: string }> {
  const email = `${fresh("race")}@example.com`;
  const { id } = contact.parse((await send("POST", "/v1/contacts", { email })).json);
  return { id, email };
}

const openTicket = (email: string): Promise<DeskAnswer> =>
  send("POST", "/v1/tickets", { subject: "s", requester: { email }, message: { text: `of ${email}` } });

async function countOf(sql: string, values: unknown[]): Promise<number> {
  const { rows } = await database.query<{ n: number }>(`select count(*)::int as n from ${sql}`, values);
  return rows[0]!.n;
}

const numberOf = ({ id }: { id: string }): number => Number(id.slice(4));

describe("twenty at once", () => {
  it("that merge the same two merge them once", async () => {
    const [one, two] = [await make(), await make()];
    const answers = await twenty(() => send("POST", `/v1/contacts/${one.id}/merge`, { into: two.id }));
    expect(tally(answers)).toEqual({ "200 merged": 1, "200 unchanged": 19 });
    expect(await countOf("contact_merge where contact = $1", [numberOf(one)])).toBe(1);
    const undone = await twenty(() => send("POST", `/v1/contacts/${one.id}/unmerge`));
    expect(tally(undone)).toEqual({ "200 unmerged": 1, "200 unchanged": 19 });
    expect(await countOf("contact_identity where contact in ($1, $2)", [numberOf(one), numberOf(two)])).toBe(
      2,
    );
  });

  it("that merge two into one another end with one survivor", async () => {
    const [one, two] = [await make(), await make()];
    const answers = await twenty((index) => {
      const [from, into] = index % 2 === 0 ? [one, two] : [two, one];
      return send("POST", `/v1/contacts/${from.id}/merge`, { into: into.id });
    });
    expect(tally(answers)).toEqual({ "200 merged": 1, "200 unchanged": 9, "409": 10 });
    const numbers = [numberOf(one), numberOf(two)];
    expect(await countOf("contact where id = any ($1) and merged_into is null", [numbers])).toBe(1);
  });

  it("that merge a chain and open tickets for its people leave every ticket with the last of them", async () => {
    const people = await Promise.all(Array.from({ length: 5 }, make));
    const last = people.at(-1)!;
    const answers = await twenty((index) => {
      const person = people[index % 5]!;
      const next = people[(index % 5) + 1];
      if (index < 5 && next !== undefined) {
        return send("POST", `/v1/contacts/${person.id}/merge`, { into: next.id });
      }
      return openTicket(person.email);
    });
    expect(answers.map(({ status }) => status).filter((status) => status >= 400)).toEqual([]);
    const tickets = answers.filter(({ status }) => status === 201).map(({ json }) => ticket.parse(json).id);
    expect(tickets).toHaveLength(16);
    const page = await send("GET", `/v1/contacts/${last.id}/tickets?limit=200`);
    const found = pageOf(ticket).parse(page.json).data;
    expect(found.map(({ id }) => id).toSorted()).toEqual(tickets.toSorted());
    expect(await countOf("contact_identity where contact = $1", [numberOf(last)])).toBe(5);
  });

  it("that merge and unmerge and open tickets lose none and leave none with a merged contact", async () => {
    const [one, two] = [await make(), await make()];
    for (let round = 0; round < 3; round += 1) {
      const answers = await twenty((index) => {
        if (index % 5 === 0) return send("POST", `/v1/contacts/${one.id}/merge`, { into: two.id });
        if (index % 5 === 1) return send("POST", `/v1/contacts/${one.id}/unmerge`);
        return openTicket(index % 2 === 0 ? one.email : two.email);
      });
      const unexpected = answers.filter(({ status }) => ![200, 201, 409].includes(status));
      expect(unexpected.map(({ text }) => text)).toEqual([]);
    }
    const numbers = [numberOf(one), numberOf(two)];
    expect(await countOf("ticket where requester = any ($1)", [numbers])).toBe(36);
    const lost = "ticket t join contact c on c.id = t.requester where c.merged_into is not null";
    expect(await countOf(lost, [])).toBe(0);
  });

  it("that erase somebody and write in their name erase once, and leave nothing behind with the erased", async () => {
    const { id, email } = await make();
    await openTicket(email);
    const answers = await twenty((index) =>
      index % 4 === 0 ? send("DELETE", `/v1/contacts/${id}`) : openTicket(email),
    );
    expect(answers.map(({ status }) => status).filter((status) => status >= 400)).toEqual([]);
    const erased = answers.filter((_, index) => index % 4 === 0);
    expect(tally(erased)).toEqual({ "200 deleted": 1, "200 unchanged": 4 });
    const left = "message m join ticket t on t.id = m.ticket where t.requester = $1 and m.text <> '[erased]'";
    expect(await countOf(left, [numberOf({ id })])).toBe(0);
    expect(await countOf("contact_identity where value = $1", [email])).toBeLessThanOrEqual(1);
  });

  it("that upsert the same people by different identities make one contact", async () => {
    const external_id = fresh("crm");
    const email = `${external_id}@example.com`;
    const answers = await twenty((index) =>
      index % 2 === 0
        ? send("PUT", `/v1/contacts/by-ref/crm/${external_id}`, { email, name: "Ada" })
        : send("PUT", `/v1/contacts/by-ref/email/${email}`, { refs: [{ source: "crm", external_id }] }),
    );
    expect(answers.map(({ status }) => status).filter((status) => status >= 400)).toEqual([]);
    expect(tally(answers)["201 created"]).toBe(1);
    expect(await countOf("contact_identity where value = any ($1)", [[email, external_id]])).toBe(2);
    expect(await countOf("contact where email = $1", [email])).toBe(1);
  });

  it("that merge tickets in a ring end with one, and with every message", async () => {
    const made = await Promise.all(Array.from({ length: 4 }, async () => openTicket((await make()).email)));
    const tickets = made.map(({ json }) => ticket.parse(json));
    const answers = await twenty((index) => {
      const [from, into] = [tickets[index % 4]!, tickets[(index + 1) % 4]!];
      return send("POST", `/v1/tickets/${from.id}/merge`, { into: into.id });
    });
    const unexpected = answers.filter(({ status }) => ![200, 308, 409].includes(status));
    expect(unexpected.map(({ text }) => text)).toEqual([]);
    const numbers = tickets.map(({ number }) => number);
    expect(await countOf("ticket where id = any ($1) and merged_into is null", [numbers])).toBe(1);
    const home = "message m join ticket t on t.id = m.ticket where t.id = any ($1) and t.merged_into is null";
    expect(await countOf(home, [numbers])).toBe(4);
  });
});

describe("people and orders that cross", () => {
  it("are written by twenty at once without a deadlock", async () => {
    const own = await openDeskStand();
    const rounds = 25;
    for (let round = 0; round < rounds; round += 1) {
      const [one, two] = [fresh("cross"), fresh("cross")];
      const person = (name: string) => ({
        email: `${name}@example.com`,
        ref: { source: "shop", external_id: name },
      });
      const answers = await twenty((index) => {
        const [asks, buys] = index % 2 === 0 ? [one, two] : [two, one];
        const orders = [asks, buys].map((name) => ({
          source: "shop",
          external_id: `of-${name}`,
          status: `by-${index}`,
          customer: { ...person(buys), name: "Ada" },
        }));
        const body = { subject: "s", requester: person(asks), message: { text: "m" }, orders };
        return own.send({ method: "PUT", path: `/v1/tickets/by-ref/cross/${round}-${index}`, body });
      });
      expect(answers.map(({ status }) => status).filter((status) => status >= 400)).toEqual([]);
    }
    // A session tells its figures when it ends.
    await own.server.close();
    await own.desk.close();
    const client = new pg.Client({ connectionString: own.databaseUrl });
    await client.connect();
    const ask = async (text: string) => (await client.query<{ n: number }>(text)).rows[0]!.n;
    const others = `select count(*)::int as n from pg_stat_activity
      where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()`;
    await expect.poll(() => ask(others)).toBe(0);
    const told = "select deadlocks::int as n from pg_stat_database where datname = current_database()";
    expect(await ask(told)).toBe(0);
    expect(await ask("select count(*)::int as n from deskbridge_desk.contact")).toBe(2 * rounds);
    await client.end();
  });
});
