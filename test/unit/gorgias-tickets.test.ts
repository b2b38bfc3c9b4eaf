import { describe, expect, it } from "vitest";
import type { GorgiasBench } from "../support/gorgias-bench.ts";
import { openGorgiasBench } from "../support/gorgias-bench.ts";
import type { Fault } from "../support/vendor-faults.ts";

const key = "fulfillment:1";
const lagMs = 30_000;
/** After a call whose end nobody saw: it may take effect for half a minute more. */
const lostMs = lagMs + 32_000;

const answered = (body: string): Fault => ({
  kind: "answer",
  when: "after",
  status: 201,
  headers: { "content-type": "application/json" },
  body,
});
const lost: Fault = { kind: "drop", when: "after" };

async function ticketOf({ stub, open }: GorgiasBench) {
  await open("first");
  return stub.ticketsWith(key)[0]!;
}

describe("a ticket on Gorgias", () => {
  it.each(["{}", '{"id":"none"}', '{"id":0}', '{"ticket":{"id":7}}', '{"id":7,"external_id":"other"}'])(
    "is there once when the answer to its making was %s",
    async (nonsense) => {
      const { stub, faults, clock, open } = await openGorgiasBench();
      faults.next(answered(nonsense));
      await expect(open("a")).rejects.toMatchObject({ code: "target_protocol" });
      clock.ms += lostMs;
      expect(await open("a")).toMatchObject({
        result: "created",
        replayed: true,
        id: String(stub.ticketsWith(key)[0]!.id),
      });
      expect(stub.ticketsWith(key)).toHaveLength(1);
    },
  );

  it("is not looked for before the list can show it, and is found then", async () => {
    const { stub, faults, clock, open } = await openGorgiasBench();
    stub.behaviour.listLagMs = lagMs - 1;
    faults.next(lost);
    await expect(open("a")).rejects.toMatchObject({ code: "target_unavailable" });
    clock.ms += 1000;
    await expect(open("a")).rejects.toMatchObject({ code: "effect_pending", retryAfterMs: lostMs - 1000 });
    clock.ms += lostMs - 1000;
    expect(await open("a")).toMatchObject({ result: "created", replayed: true });
    expect(stub.ticketsWith(key)).toHaveLength(1);
  });

  it("is the oldest of two that carry the key, and the receipt says how many there are", async () => {
    const { stub, forget, open, run } = await openGorgiasBench();
    const first = stub.addTicket({ at: 0, external_id: key });
    const second = stub.addTicket({ at: 1000, external_id: key });
    forget();
    const receipt = await run("ticket.note", { key, message: "A note." }, "n");
    expect(receipt).toMatchObject({ result: "appended", matches: 2 });
    expect([first, second].map(({ messages }) => messages.length)).toEqual([1, 0]);
    expect(await open("again")).toMatchObject({ result: "appended", id: String(first.id) });
  });

  it.each<[string, (bench: GorgiasBench, id: number) => void]>([
    [
      "put into the trash",
      ({ stub }, id) => (stub.state.tickets.get(id)!.trashed_datetime = "2026-11-22T10:00:00"),
    ],
    ["deleted", ({ stub }, id) => stub.state.tickets.delete(id)],
    ["merged into another", ({ stub }, id) => stub.merge(id, stub.addTicket({ at: 0 }).id)],
  ])("that was %s takes no notes, and the next opening makes a new one", async (_, happen) => {
    const bench = await openGorgiasBench();
    const ticket = await ticketOf(bench);
    happen(bench, ticket.id);
    const note = bench.run("ticket.note", { key, message: "A note." }, "n");
    await expect(note).rejects.toMatchObject({ code: "target_not_found" });
    const next = await bench.open("b");
    expect(next.result).toBe("created");
    expect(next.id).not.toBe(String(ticket.id));
    expect(await bench.open("c")).toMatchObject({ result: "appended", id: next.id });
  });

  it("is found among its customer's where the list takes no notice of external ids", async () => {
    const { stub, faults, clock, open, run } = await openGorgiasBench();
    stub.behaviour.filtersByExternalId = false;
    stub.addTicket({ at: 0, external_id: "other" });
    faults.next(lost);
    await expect(open("a")).rejects.toMatchObject({ code: "target_unavailable" });
    clock.ms += lostMs;
    expect(await open("a")).toMatchObject({ result: "created", replayed: true });
    expect(stub.ticketsWith(key)).toHaveLength(1);
    // Nobody to search by: better no answer than "there is none".
    const note = run("ticket.note", { key: "unknown", message: "A note." }, "n");
    await expect(note).rejects.toMatchObject({ code: "target_protocol" });
  });

  it("gets a message once when its answer was lost, among more messages than a page holds", async () => {
    const bench = await openGorgiasBench();
    const { stub, faults, clock, run } = bench;
    const ticket = await ticketOf(bench);
    faults.next(lost);
    await expect(run("ticket.reply", { key, message: "On its way." }, "r")).rejects.toMatchObject({
      retry: "retry",
    });
    for (const text of ["one", "two", "three", "four", "five"]) {
      await run("ticket.note", { key, message: text }, text);
    }
    stub.behaviour.pageSize = 2;
    clock.ms += lostMs;
    expect(await run("ticket.reply", { key, message: "On its way." }, "r")).toMatchObject({ replayed: true });
    expect(ticket.messages.filter(({ external_id }) => external_id === "r")).toHaveLength(1);
    expect(stub.state.mails).toEqual([
      { from: "help@acme.example", to: "ada@example.com", text: "On its way." },
    ]);
  });

  it("is opened again before the customer's next message is put on it", async () => {
    const bench = await openGorgiasBench();
    const ticket = await ticketOf(bench);
    await bench.run("ticket.close", { key }, "c");
    // The answer to the opening is lost, so it is not known to have happened; the message was not sent.
    bench.faults.next(lost);
    await expect(bench.open("again")).rejects.toMatchObject({ retry: "retry" });
    bench.clock.ms += lostMs;
    await bench.open("again");
    expect(ticket).toMatchObject({ status: "open", messages: { length: 2 } });
  });

  it("keeps what we know of orders and of the effect in its meta", async () => {
    const { stub, open } = await openGorgiasBench();
    const order = { source: "shop", id: "1001", name: "#1001", total: { minor: 4200, currency: "EUR" } };
    await open("a", { orders: [order] });
    expect(stub.ticketsWith(key)[0]?.meta).toEqual({ deskbridge: { effect: "a", orders: [order] } });
    expect(stub.messagesWith("a")).toHaveLength(1);
  });

  it("cannot be replied to without an address to send from, nor closed with a reply", async () => {
    const bench = await openGorgiasBench({ replyFrom: undefined });
    const ticket = await ticketOf(bench);
    expect(bench.connection.desk?.operations).not.toHaveProperty(["ticket.reply"]);
    const close = bench.run("ticket.close", { key, message: "Done." }, "c");
    await expect(close).rejects.toMatchObject({ code: "operation_invalid" });
    expect(ticket.status).toBe("open");
    expect(await bench.run("ticket.close", { key }, "d")).toMatchObject({ result: "updated" });
  });

  it("cannot be replied to when its customer has no e-mail address", async () => {
    const { open, run, stub } = await openGorgiasBench();
    await open("a", { requester: { phone: "+15024592181" } });
    expect(stub.ticketsWith(key)[0]?.customer.channels).toMatchObject([
      { type: "phone", address: "+15024592181" },
    ]);
    const reply = run("ticket.reply", { key, message: "Hello" }, "r");
    await expect(reply).rejects.toMatchObject({ code: "operation_invalid" });
    expect(stub.state.mails).toEqual([]);
  });

  it("makes one customer of a requester without an e-mail address, however often the ticket is tried", async () => {
    const { open, stub, faults, clock } = await openGorgiasBench();
    faults.next(lost);
    const requester = { externalId: "customer-7", name: "Ada" };
    await expect(open("a", { requester })).rejects.toMatchObject({ retry: "retry" });
    clock.ms += lostMs;
    expect(await open("a", { requester })).toMatchObject({ result: "created" });
    expect([...stub.state.customers.values()].filter((one) => one.external_id === "customer-7")).toHaveLength(
      1,
    );
  });
});

describe("a limit that is used up", () => {
  it("is target_rate_limited with the pause that Gorgias asks for, and nothing is done", async () => {
    const { stub, clock, open } = await openGorgiasBench();
    stub.behaviour.limit = { calls: 1, perMs: 20_000 };
    await expect(open("a")).rejects.toMatchObject({ code: "target_rate_limited", retryAfterMs: 20_000 });
    clock.ms += 20_001;
    stub.behaviour.limit = undefined;
    expect(await open("a")).toMatchObject({ result: "created" });
    expect(stub.ticketsWith(key)).toHaveLength(1);
  });
});
