import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { htmlPage, rateLimited } from "../support/vendor-faults.ts";
import { opening, openZendeskBench } from "../support/zendesk-bench.ts";
import type { ZendeskBench } from "../support/zendesk-bench.ts";
import { readZendeskContract } from "../support/zendesk-contract.ts";

const contract = readZendeskContract();
let bench: ZendeskBench;

beforeEach(async () => {
  bench = await openZendeskBench({ lookupLagSeconds: 60 }, contract);
});

afterEach(() => bench.close());

describe("a zendesk ticket whose creation went wrong", () => {
  it("is looked for after a nonsense answer, and found", async () => {
    const { run, faults, wait, onlyTicket } = bench;
    faults.next(htmlPage("after"));
    await expect(run("ticket.open", opening(), "a")).rejects.toMatchObject({ code: "target_protocol" });
    await expect(run("ticket.open", opening(), "a")).rejects.toMatchObject({
      code: "effect_pending",
      retryAfterMs: 60_000,
    });
    wait(92);
    const receipt = await run("ticket.open", opening(), "a");
    expect(receipt).toMatchObject({ result: "created", replayed: true, id: String(onlyTicket().id) });
  });

  it("is made when a nonsense answer was all there was", async () => {
    const { run, stub, wait, onlyTicket } = bench;
    stub.answerNext("POST", /tickets$/, { status: 201, body: { ticket: { id: "none" } } });
    await expect(run("ticket.open", opening(), "a")).rejects.toMatchObject({
      code: "target_protocol",
      details: { lacking: ["ticket.id"] },
    });
    wait(92);
    expect(await run("ticket.open", opening(), "a")).toMatchObject({ result: "created" });
    expect(onlyTicket().comments).toHaveLength(1);
  });

  it("is not made twice when the lookup lags: the vendor knows the key for two hours", async () => {
    const { run, stub, faults, wait, onlyTicket } = bench;
    faults.next({ kind: "drop", when: "after" });
    await expect(run("ticket.open", opening(), "a")).rejects.toMatchObject({ retry: "retry" });
    stub.unlisted.add(onlyTicket().id);
    wait(92);
    const receipt = await run("ticket.open", opening(), "a");
    expect(receipt).toMatchObject({ result: "created", id: String(onlyTicket().id) });
    const creates = stub.calls.filter(({ method, path }) => method === "POST" && path === "/api/v2/tickets");
    expect(creates.map(({ headers }) => headers["idempotency-key"])).toEqual(["a", "a"]);
  });

  it("is found by its key when the vendor knows the idempotency key with another body", async () => {
    const { run, connect, stub, faults, wait, onlyTicket } = bench;
    const customFields = { shipment: "7" };
    const before = await connect({ customFields: { shipment: 360001 } });
    const after = await connect({ customFields: { shipment: 360002 } });
    faults.next({ kind: "drop", when: "after" });
    await expect(run("ticket.open", opening({ customFields }), "a", before)).rejects.toMatchObject({
      code: "target_unavailable",
    });
    const { id } = onlyTicket();
    stub.unlisted.add(id);
    wait(92);
    await expect(run("ticket.open", opening({ customFields }), "a", after)).rejects.toMatchObject({
      code: "target_unavailable",
      message: expect.stringContaining("idempotency key") as string,
    });
    stub.unlisted.delete(id);
    wait(92);
    const receipt = await run("ticket.open", opening({ customFields }), "a", after);
    expect(receipt).toMatchObject({ result: "created", replayed: true, id: String(id) });
    onlyTicket();
  });

  it("counts as unknown when it is not told by its key because the search was refused", async () => {
    const { run, connect, faults, wait, onlyTicket } = bench;
    const customFields = { shipment: "7" };
    const before = await connect({ customFields: { shipment: 360001 } });
    const after = await connect({ customFields: { shipment: 360002 } });
    const opened = () => run("ticket.open", opening({ customFields }), "a", after);
    faults.next({ kind: "drop", when: "after" });
    const first = run("ticket.open", opening({ customFields }), "a", before);
    await expect(first).rejects.toMatchObject({ code: "target_unavailable" });
    bench.stub.unlisted.add(onlyTicket().id);
    wait(92);
    faults.next({ kind: "run", when: "after", run: () => faults.always(rateLimited(5)) });
    await expect(opened()).rejects.toMatchObject({ code: "target_unavailable" });
    faults.always(undefined);
    bench.stub.unlisted.clear();
    wait(92);
    expect(await opened()).toMatchObject({ result: "created", replayed: true });
    expect(onlyTicket().comments).toHaveLength(1);
  });

  it("is said to be ambiguous when two tickets have its key, and the open one is taken", async () => {
    const { run, stub } = bench;
    await run("ticket.open", opening(), "a");
    const second = stub.agent.opens({ external_id: "fulfillment:7", subject: "copied by an agent" }, 0);
    stub.agent.sets(stub.tickets[0]!, { status: "solved" });
    // Another installation knows of no link, and asks the account.
    const fresh = await openZendeskBench({ apiUrl: stub.url });
    const receipt = await fresh.run("ticket.open", opening({ message: "Again." }), "b");
    expect(receipt).toMatchObject({ result: "appended", id: String(second.id), matches: 2 });
    await fresh.close();
  });
});

describe("a zendesk connection that was pointed at another account", () => {
  it("touches no ticket there that has the id of one of the first account's", async () => {
    const { run, connect } = bench;
    const first = await run("ticket.open", opening(), "a");
    const other = await openZendeskBench();
    const moved = await connect({ apiUrl: other.stub.url, orders: { field: 360002 } });
    const { id } = await other.run("ticket.open", opening({ key: "a stranger's" }), "s");
    expect(id).toBe(first.id);
    const order = { source: "shop", id: "1" };
    for (const [name, input] of [
      ["ticket.note", { key: "fulfillment:7", message: "Hm." }],
      ["order.link", { key: "fulfillment:7", order }],
    ] as const) {
      await expect(run(name, input, name, moved)).rejects.toMatchObject({ code: "target_not_found" });
    }
    const again = await run("ticket.open", opening(), "b", moved);
    expect(again).toMatchObject({ result: "created" });
    expect(other.stub.tickets.map(({ comments }) => comments.length)).toEqual([1, 1]);
    await other.close();
  });
});

describe("a zendesk comment whose answer was lost", () => {
  it("is found again by the marker in its audit", async () => {
    const { run, faults, wait, onlyTicket } = bench;
    await run("ticket.open", opening(), "a");
    faults.next({ kind: "drop", when: "after" });
    const note = () => run("ticket.note", { key: "fulfillment:7", message: "Looked into it." }, "b");
    await expect(note()).rejects.toMatchObject({ code: "target_unavailable" });
    wait(92);
    const [, comment] = onlyTicket().comments;
    expect(await note()).toMatchObject({ kind: "message", id: String(comment?.id), replayed: true });
    expect(onlyTicket().comments.map(({ body }) => body)).toEqual([opening().message, "Looked into it."]);
    expect(onlyTicket().audits.at(-1)?.custom).toEqual({ deskbridge: "b" });
  });

  it("is sent again when no audit carries its marker", async () => {
    const { run, faults, wait, onlyTicket } = bench;
    await run("ticket.open", opening(), "a");
    faults.next({ kind: "drop", when: "before" });
    const note = () => run("ticket.note", { key: "fulfillment:7", message: "Looked into it." }, "b");
    await expect(note()).rejects.toMatchObject({ code: "target_unavailable" });
    wait(92);
    expect(await note()).toMatchObject({ kind: "message" });
    expect(onlyTicket().comments).toHaveLength(2);
  });

  it("counts as unknown when more changes came since than are read", async () => {
    const { run, faults, wait, onlyTicket } = bench;
    await run("ticket.open", opening(), "a");
    faults.next({ kind: "drop", when: "after" });
    const note = () => run("ticket.note", { key: "fulfillment:7", message: "Looked into it." }, "b");
    await expect(note()).rejects.toMatchObject({ code: "target_unavailable" });
    const { audits } = onlyTicket();
    for (let id = 10_000; id < 11_000; id += 1) audits.push({ id, at: 0, custom: {} });
    wait(92);
    await expect(note()).rejects.toMatchObject({ code: "effect_unknown", retry: "stop" });
    expect(onlyTicket().comments).toHaveLength(2);
  });

  it("is a protocol fault when the answer tells of no comment", async () => {
    const { run } = bench;
    await run("ticket.open", opening(), "a");
    const blank = run("ticket.note", { key: "fulfillment:7", message: " \n " }, "b");
    await expect(blank).rejects.toMatchObject({ code: "target_protocol" });
  });
});
