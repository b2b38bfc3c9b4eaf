import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { routes } from "../../src/desk/plugin.ts";
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

function fresh(what: string): string {
  count += 1;
  return `${what}-${count}`;
}

async function rows(text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
  const result = await database.query<Record<string, unknown>>(text, values);
  return result.rows;
}

function twenty<T>(run: (index: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: 20 }, (_, index) => run(index)));
}

/** How many answers there are of each status and result. */
function tally(answers: readonly DeskAnswer[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { status, headers } of answers) {
    const name = `${status} ${headers["deskbridge-result"] ?? ""}${headers["idempotency-replayed"] ? " replayed" : ""}`;
    counts[name.trim()] = (counts[name.trim()] ?? 0) + 1;
  }
  return counts;
}

const post = (path: string, body: object, key?: string): Promise<DeskAnswer> =>
  stand.send({ method: "POST", path, body, headers: key === undefined ? {} : { "idempotency-key": key } });

/** A good body where nothing else is said. */
function defaults(path: string): object {
  if (path.endsWith("/csat")) return { score: 4 };
  return path.endsWith("/messages") ? { text: "m" } : {};
}

const newTicket = () => ({
  subject: "s",
  requester: { email: `${fresh("once")}@example.com` },
  message: { text: "m" },
});

describe("an idempotency key", () => {
  it("brings the first answer again, byte for byte, with its headers", async () => {
    const body = newTicket();
    const key = fresh("key");
    const first = await post("/v1/tickets", body, key);
    await stand.send({
      method: "PATCH",
      path: `/v1/tickets/${(first.json as { id: string }).id}`,
      body: { subject: "x" },
    });
    const again = await post("/v1/tickets", body, key);
    expect([first.status, first.headers["idempotency-replayed"]]).toEqual([201, undefined]);
    expect([again.status, again.headers["idempotency-replayed"], again.text]).toEqual([
      201,
      "true",
      first.text,
    ]);
    for (const name of ["deskbridge-result", "deskbridge-message-id", "etag"]) {
      expect(again.headers[name]).toBe(first.headers[name]);
    }
  });

  it("works on every route that writes tickets, contacts and orders", async () => {
    const setup = {
      ...newTicket(),
      ref: { source: "a", external_id: "b" },
      orders: [{ source: "c", external_id: "d" }],
    };
    await post("/v1/tickets", setup);
    // Those that end something get one of their own.
    const ids = async (path: string, body: () => object) =>
      ((await post(path, body())).json as { id: string }).id;
    const other = await ids("/v1/contacts", () => ({ email: `${fresh("other")}@example.com` }));
    const doomed = await ids("/v1/contacts", () => ({ email: `${fresh("doomed")}@example.com` }));
    const spare = await ids("/v1/tickets", newTicket);
    const addresses: Record<string, string> = {
      "POST /v1/contacts/{id}/merge": `/v1/contacts/${other}/merge`,
      "POST /v1/contacts/{id}/unmerge": `/v1/contacts/${other}/unmerge`,
      "DELETE /v1/contacts/{id}": `/v1/contacts/${doomed}`,
      "POST /v1/tickets/{id}/merge": `/v1/tickets/${spare}/merge`,
    };
    const bodies: Record<string, object> = {
      "POST /v1/contacts": { email: "every@example.com" },
      "POST /v1/contacts/{id}/identities": { type: "email", value: "every-other@example.com" },
      "POST /v1/contacts/{id}/merge": { into: "con_1" },
      "POST /v1/tickets/{id}/merge": { into: "tkt_1" },
      "POST /v1/tickets/by-ref/{source}/{externalId}/merge": { into: await ids("/v1/tickets", newTicket) },
      "POST /v1/tickets": newTicket(),
      "PUT /v1/tickets/by-ref/{source}/{externalId}": newTicket(),
    };
    const writes = routes.filter(
      ({ scope, ...route }) => "operation" in route && /^(tickets|contacts|orders):/.test(scope ?? ""),
    );
    expect(writes.length).toBeGreaterThan(25);
    for (const { method, path } of writes) {
      const url = (addresses[`${method} ${path}`] ?? path)
        .replace("/v1/tickets/{id}", "/v1/tickets/tkt_1")
        .replace("/v1/contacts/{id}", "/v1/contacts/con_1")
        .replace("{orderId}", "ord_1")
        .replace("{identityId}", "idn_999999")
        .replace(/\{(source|orderSource)\}/g, "a")
        .replace(/\{(externalId|orderExternalId)\}/g, "b");
      const body = bodies[`${method} ${path}`] ?? defaults(path);
      const request: DeskRequest = {
        method,
        path: url,
        body,
        headers: { "idempotency-key": fresh("route") },
      };
      const first = await stand.send(request);
      const again = await stand.send(request);
      expect([method, path, first.status < 300 ? "" : first.text]).toEqual([method, path, ""]);
      expect([method, path, again.headers["idempotency-replayed"], again.text]).toEqual([
        method,
        path,
        "true",
        first.text,
      ]);
    }
  });

  it("is refused with another body, address or method", async () => {
    const key = fresh("key");
    const body = newTicket();
    await post("/v1/tickets", body, key);
    const others = await Promise.all([
      post("/v1/tickets", { ...body, subject: "other" }, key),
      post("/v1/contacts", { email: "x@example.com" }, key),
      stand.send({
        method: "PUT",
        path: "/v1/tickets/by-ref/x/y",
        body,
        headers: { "idempotency-key": key },
      }),
    ]);
    for (const { status, json } of others) {
      expect([status, json]).toEqual([
        422,
        expect.objectContaining({ code: "idempotency_mismatch", retryable: false }),
      ]);
    }
  });

  it("recognises a body that is only written differently", async () => {
    const key = fresh("key");
    const email = `${fresh("spelling")}@example.com`;
    const raw = (body: string) =>
      stand.send({ method: "POST", path: "/v1/contacts", body, headers: { "idempotency-key": key } });
    expect((await raw(`{"name":"Ada","email":"${email}"}`)).status).toBe(201);
    const again = await raw(`{ "email": "${email.toUpperCase()}", "name": "\\u0041da" }`);
    expect([again.status, again.headers["idempotency-replayed"]]).toEqual([201, "true"]);
  });

  it("is free again when its request was refused", async () => {
    const key = fresh("key");
    const email = `${fresh("free")}@example.com`;
    expect((await post("/v1/tickets", { subject: "s", requester_id: "con_999999" }, key)).status).toBe(400);
    expect((await post("/v1/tickets", { subject: "s" }, key)).status).toBe(400);
    expect((await post("/v1/tickets", { subject: "s", requester: { email } }, key)).status).toBe(201);
  });

  it("is the same whichever API key it comes with", async () => {
    const key = fresh("key");
    const body = newTicket();
    const first = await post("/v1/tickets", body, key);
    const renewed = await stand.desk.keys.create("renewed", ["tickets:write"]);
    const headers = { "idempotency-key": key, authorization: `Bearer ${renewed.key}` };
    const again = await stand.send({ method: "POST", path: "/v1/tickets", body, headers });
    expect([again.headers["idempotency-replayed"], again.text]).toEqual(["true", first.text]);
  });

  it("is answered 409 while its first request is still being worked on", async () => {
    const key = fresh("key");
    const holder = new pg.Client({ connectionString: stand.databaseUrl });
    await holder.connect();
    await holder.query("begin");
    await holder.query("select pg_advisory_xact_lock(hashtextextended($1, hashtext('api')))", [key]);
    const meanwhile = await post("/v1/tickets", newTicket(), key);
    await holder.query("rollback");
    await holder.end();
    expect([meanwhile.status, meanwhile.json]).toEqual([
      409,
      expect.objectContaining({ code: "idempotency_in_flight", retryable: true }),
    ]);
  });

  it("is kept for 72 hours and no longer", async () => {
    const key = fresh("key");
    const body = newTicket();
    const hour = 3600_000;
    await post("/v1/tickets", body, key);
    stand.setNow(Date.now() + 71.9 * hour);
    await stand.desk.maintain();
    expect((await post("/v1/tickets", body, key)).headers["idempotency-replayed"]).toBe("true");
    stand.setNow(Date.now() + 72.1 * hour);
    await stand.desk.maintain();
    expect(await rows("select * from idempotency")).toEqual([]);
  });
});

describe("twenty at once", () => {
  it("with the same key make one ticket and nineteen replays", async () => {
    const body = newTicket();
    const key = fresh("key");
    const answers = await twenty(() => post("/v1/tickets", body, key));
    expect(tally(answers)).toEqual({ "201 created": 1, "201 created replayed": 19 });
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
  });

  it("with the same ref make one ticket with twenty messages", async () => {
    const path = `/v1/tickets/by-ref/race/${fresh("ref")}`;
    const body = {
      ...newTicket(),
      orders: [{ source: "shop", external_id: fresh("order"), status: "paid" }],
    };
    const answers = await twenty(() => stand.send({ method: "PUT", path, body }));
    expect(tally(answers)).toEqual({ "201 created": 1, "200 appended": 19 });
    const ids = new Set(answers.map(({ json }) => (json as { id: string }).id));
    const messages = answers.map(({ headers }) => headers["deskbridge-message-id"]);
    expect([ids.size, new Set(messages).size]).toEqual([1, 20]);
  });

  it("with the same address make one contact", async () => {
    const email = `${fresh("same")}@example.com`;
    const puts = await twenty((index) =>
      stand.send({ method: "PUT", path: `/v1/contacts/by-ref/crm/${email}-${index}`, body: { email } }),
    );
    expect(tally(puts)["201 created"]).toBe(1);
    expect(new Set(puts.map(({ json }) => (json as { id: string }).id)).size).toBe(1);
    const other = `${fresh("same")}@example.com`;
    const posts = await twenty(() => post("/v1/contacts", { email: other }));
    expect(tally(posts)).toEqual({ "201 created": 1, "409": 19 });
    expect(
      await rows("select count(*)::int as n from contact where email in ($1, $2)", [email, other]),
    ).toEqual([{ n: 2 }]);
  });

  it("whose contacts and orders cross end without a deadlock", async () => {
    const [a, b] = [fresh("cross"), fresh("cross")];
    const person = (who: string) => ({
      email: `${who}@example.com`,
      ref: { source: "shop", external_id: who },
    });
    const order = (who: string, customer: string) => ({
      source: "shop",
      external_id: who,
      customer: person(customer),
    });
    const answers = await twenty((index) => {
      const [one, two] = index % 2 === 0 ? [a, b] : [b, a];
      const orders = [order(one, two), order(two, one)];
      const body = { subject: "s", requester: person(one), message: { text: "m" }, orders };
      return stand.send({ method: "PUT", path: `/v1/tickets/by-ref/cross/${index}`, body });
    });
    expect(tally(answers)).toEqual({ "201 created": 20 });
    const people = await rows("select count(*)::int as n from contact where email in ($1, $2)", [
      `${a}@example.com`,
      `${b}@example.com`,
    ]);
    expect(people).toEqual([{ n: 2 }]);
  });

  it("with different versions of tags keep the list and the search the same", async () => {
    const { json } = await post("/v1/tickets", newTicket());
    const { id } = json as { id: string };
    await twenty((index) =>
      post(`/v1/tickets/${id}/tags`, { add: [`t${index}`], remove: [`t${(index + 7) % 20}`] }),
    );
    const shown = await rows("select unnest(tags) as tag from ticket where id = $1 order by 1", [
      id.slice(4),
    ]);
    const found = await rows("select tag from ticket_tag where ticket = $1 order by 1", [id.slice(4)]);
    expect(shown.length).toBeGreaterThan(0);
    expect(found).toEqual(shown);
  });
});

describe("the record of changes", () => {
  it("has every change with who made it, what it was about and what became of it", async () => {
    const path = `/v1/tickets/by-ref/record/${fresh("r")}`;
    const put = await stand.send({ method: "PUT", path, body: newTicket() });
    const ticket = (put.json as { number: number }).number;
    await stand.send({ method: "PATCH", path, body: { status: "closed", priority: "high" } });
    await stand.send({ method: "PUT", path, body: newTicket() });
    await stand.send({ method: "PUT", path: `${path}/orders/by-ref/shop/record` });
    const changes = await rows("select type, actor, data from change where ticket = $1 order by tx, id", [
      ticket,
    ]);
    const actor = "key_bootstrap";
    expect(changes).toEqual([
      { type: "ticket.created", actor, data: {} },
      { type: "message.created", actor, data: {} },
      { type: "ticket.closed", actor, data: { status: ["new", "closed"], priority: ["normal", "high"] } },
      { type: "ticket.reopened", actor, data: { status: ["closed", "open"] } },
      { type: "message.created", actor, data: {} },
      { type: "ticket.updated", actor, data: { orders: [[], [expect.stringMatching(/^ord_/)]] } },
    ]);
  });

  it("never shows a reader something behind what it has read", async () => {
    const seen: string[] = [];
    let last = { tx: 0, id: 0 };
    const read = async (): Promise<void> => {
      const next = await rows(
        `select tx::text as at, id::int from change where (tx, id) > ($1, $2)
         and tx < pg_snapshot_xmin(pg_current_snapshot())::text::bigint order by tx, id`,
        [last.tx, last.id],
      );
      for (const { at, id } of next) {
        seen.push(`${String(at)}/${String(id)}`);
        last = { tx: Number(at), id: Number(id) };
      }
    };
    const done = new AbortController();
    const reader = (async () => {
      while (!done.signal.aborted) await read();
    })();
    await twenty(async () => {
      for (let turn = 0; turn < 10; turn += 1) await post("/v1/tickets", newTicket());
    });
    done.abort();
    await reader;
    await read();
    const all = await rows("select tx::text || '/' || id as at from change order by tx, id");
    expect(seen.length).toBeGreaterThan(500);
    expect(seen).toEqual(all.map(({ at }) => at));
  });

  it("goes on upwards in a database that was restored from a dump", async () => {
    await database.query("update change set tx = tx + 1000000");
    await database.query("select rebase_feed()");
    const [newest] = await rows("select max(tx)::int as tx from change");
    await post("/v1/tickets", newTicket());
    const later = await rows("select tx::int from change where tx > $1", [newest!["tx"]]);
    expect(later.length).toBeGreaterThan(0);
    await database.query("select rebase_feed()");
    expect(
      await rows("select count(*)::int as n from feed_offset where value > $1", [newest!["tx"]]),
    ).toEqual([{ n: 1 }]);
  });
});
