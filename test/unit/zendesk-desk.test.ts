import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { opening, openZendeskBench } from "../support/zendesk-bench.ts";
import type { ZendeskBench } from "../support/zendesk-bench.ts";
import { readZendeskContract } from "../support/zendesk-contract.ts";

const key = "fulfillment:7";
const settings = { customFields: { shipment: 360001 } };
const contract = readZendeskContract();
let bench: ZendeskBench;

beforeEach(async () => {
  bench = await openZendeskBench(settings, contract);
});

afterEach(() => bench.close());

describe("a zendesk ticket that changed meanwhile", () => {
  it("was deleted: the next try opens another", async () => {
    const { run, stub } = bench;
    await run("ticket.open", opening(), "a");
    const [first] = stub.tickets;
    stub.before("PUT", /tickets\/\d+$/, () => stub.agent.deletes(first!));
    const again = () => run("ticket.open", opening({ message: "Again." }), "b");
    await expect(again()).rejects.toMatchObject({ code: "target_conflict", retry: "retry" });
    expect(await again()).toMatchObject({ result: "created", id: String(stub.tickets[1]?.id) });
    const note = run("ticket.note", { key, message: "Psst" }, "c");
    expect(await note).toMatchObject({ result: "appended" });
    expect(stub.tickets[1]?.comments.map(({ body }) => body)).toEqual(["Again.", "Psst"]);
  });

  it("was deleted: a note has nowhere to go", async () => {
    const { run, stub, onlyTicket } = bench;
    await run("ticket.open", opening(), "a");
    stub.agent.deletes(onlyTicket());
    const note = run("ticket.note", { key, message: "Psst" }, "b");
    await expect(note).rejects.toMatchObject({ code: "target_not_found", retry: "stop" });
  });

  it("was closed for good: the next try opens a follow-up that takes over its tags", async () => {
    const { run, stub } = bench;
    await run("ticket.open", opening({ tags: ["VIP customer"] }), "a");
    const [first] = stub.tickets;
    stub.before("PUT", /tickets\/\d+$/, () => stub.agent.sets(first!, { status: "closed" }));
    const again = () => run("ticket.open", opening({ message: "Again." }), "b");
    await expect(again()).rejects.toMatchObject({ code: "target_conflict" });
    expect(await again()).toMatchObject({ result: "followed_up" });
    expect(stub.tickets[1]).toMatchObject({ followUpOf: first?.id, tags: ["vip_customer"], externalId: key });
    // The key names the follow-up from now on.
    expect(await run("ticket.open", opening({ message: "Once more." }), "c")).toMatchObject({
      result: "appended",
      id: String(stub.tickets[1]?.id),
    });
  });

  it("is closed for good: a note is refused with a word", async () => {
    const { run, stub, onlyTicket } = bench;
    await run("ticket.open", opening(), "a");
    stub.agent.sets(onlyTicket(), { status: "closed" });
    const note = run("ticket.note", { key, message: "Psst" }, "b");
    await expect(note).rejects.toMatchObject({
      code: "target_rejected",
      message: expect.stringContaining("closed for good") as string,
    });
    expect(await run("ticket.close", { key }, "c")).toMatchObject({ result: "unchanged" });
  });

  it("was merged: messages go to the ticket that is left, where the audit names it", async () => {
    const { run, stub } = bench;
    await run("ticket.open", opening(), "a");
    const target = stub.agent.opens({ subject: "The other one" }, 0);
    stub.agent.merges(stub.tickets[0]!, target);
    expect(await run("ticket.open", opening({ message: "Again." }), "b")).toMatchObject({
      result: "appended",
      id: String(target.id),
    });
    expect(await run("ticket.note", { key, message: "Psst" }, "c")).toMatchObject({ result: "appended" });
    expect(target.comments.map(({ body }) => body)).toEqual(["Again.", "Psst"]);
  });

  it("was merged into nobody knows what: it counts as closed", async () => {
    const { run, stub } = bench;
    await run("ticket.open", opening(), "a");
    const target = stub.agent.opens({ subject: "The other one" }, 0);
    stub.agent.merges(stub.tickets[0]!, target, false);
    const receipt = await run("ticket.open", opening({ message: "Again." }), "b");
    expect(receipt).toMatchObject({ result: "followed_up" });
    expect(target.comments).toEqual([]);
  });

  it("got a tag from somebody else: both tags stay", async () => {
    const { run, stub, wait, onlyTicket } = bench;
    await run("ticket.open", opening({ tags: ["one"] }), "a");
    stub.before("PUT", /tags$/, () => {
      wait(1);
      stub.agent.sets(onlyTicket(), { tags: ["one", "theirs"] });
    });
    await run("ticket.tag", { key, add: ["ours"], remove: ["one"] }, "b");
    expect(onlyTicket().tags).toEqual(["theirs", "ours"]);
    const puts = stub.calls.filter(({ path, method }) => path.endsWith("/tags") && method === "PUT");
    expect(puts).toHaveLength(2);
  });
});

describe("what a zendesk ticket is made of", () => {
  it("has messages of the customer's in their name and ours in the agent's", async () => {
    const { run, onlyTicket } = bench;
    await run("ticket.open", opening(), "a");
    await run("ticket.open", opening({ message: "Again." }), "b");
    await run("ticket.reply", { key, message: "On its way." }, "c");
    const { comments, requesterId } = onlyTicket();
    expect(comments.slice(1).map(({ authorId }) => authorId)).toEqual([requesterId, 1]);
  });

  it("takes custom fields by their configured names, and refuses others", async () => {
    const { run, onlyTicket } = bench;
    await run("ticket.open", opening({ customFields: { shipment: "7" } }), "a");
    expect(onlyTicket().fields.get(360001)).toBe("7");
    const other = run("ticket.update", { key, customFields: { shipmnt: "8" } }, "b");
    await expect(other).rejects.toMatchObject({
      code: "target_rejected",
      message: expect.stringMatching(/shipmnt.*known: shipment/) as string,
    });
  });

  it("is on hold by the vendor's word, and closed as the settings say", async () => {
    const { run, connect, onlyTicket } = bench;
    await run("ticket.open", opening({ status: "on_hold" }), "a");
    expect(onlyTicket().status).toBe("hold");
    await run("ticket.close", { key }, "b");
    expect(onlyTicket().status).toBe("solved");
    await run("ticket.update", { key, status: "closed" }, "c", await connect({ closeAs: "closed" }));
    expect(onlyTicket().status).toBe("closed");
  });

  it("takes no more than thirty updates in ten minutes, which holds up nobody else", async () => {
    const { run } = bench;
    await run("ticket.open", opening(), "a");
    for (let count = 1; count <= 30; count += 1) await run("ticket.note", { key, message: "m" }, `n${count}`);
    const tooMany = run("ticket.note", { key, message: "m" }, "n31");
    await expect(tooMany).rejects.toMatchObject({ code: "target_rate_limited", retryAfterMs: 93_000 });
  });

  it("names its orders in an internal message, never in a public one, where no field is configured", async () => {
    const { run, stub, connect } = bench;
    const orders = [{ source: "shop", id: "1001", name: "#1001", url: "https://shop.example/1001" }];
    await run("ticket.open", opening({ orders }), "a");
    await run("ticket.open", opening({ key: "other", visibility: "internal", orders }), "b");
    expect(stub.tickets.map(({ comments }) => comments[0]?.body)).toEqual([
      opening().message,
      `${opening().message}\n\nOrder #1001: https://shop.example/1001`,
    ]);
    const { operations } = (await connect()).desk!;
    expect(Object.keys(operations)).not.toContain("order.upsert");
    expect(Object.keys(operations)).not.toContain("order.link");
  });

  it("keeps the orders that it comes with in the custom object, once", async () => {
    const { run, stub, connect } = bench;
    const connection = await connect({ orders: { object: "order", fields: { total: "total" } } });
    const orders = [{ source: "shop", id: "1001", total: { minor: 5990, currency: "EUR" } }];
    await run("ticket.open", opening({ orders }), "a", connection);
    await run("ticket.open", opening({ key: "other", orders }), "b", connection);
    expect([...stub.records.values()]).toMatchObject([
      { external_id: "shop:1001", name: "1001", custom_object_fields: { total: "59.90" } },
    ]);
    expect(stub.calls.filter(({ method }) => method === "PATCH")).toHaveLength(1);
  });
});
