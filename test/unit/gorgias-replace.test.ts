import { describe, expect, it } from "vitest";
import type { GorgiasBench } from "../support/gorgias-bench.ts";
import { openGorgiasBench } from "../support/gorgias-bench.ts";
import type { Fault } from "../support/vendor-faults.ts";

const key = "fulfillment:1";

async function ticketOf({ stub, open }: GorgiasBench) {
  await open("first", { tags: ["late"], customFields: { "7": "seven" } });
  return stub.ticketsWith(key)[0]!;
}

/** Somebody else writes right after us, over what we wrote. */
const afterwards = (run: () => void): Fault => ({ kind: "run", when: "after", run });

const tags = (change: { add?: string[]; remove?: string[] }) => ({ key, add: [], remove: [], ...change });

describe("tags on Gorgias, which replaces them all", () => {
  it("are added and removed without touching those that others put there", async () => {
    const bench = await openGorgiasBench();
    const ticket = await ticketOf(bench);
    ticket.tags.push({ name: "by-an-agent" });
    await bench.run("ticket.tag", tags({ add: ["vip"], remove: ["late", "never-there"] }), "t");
    expect(ticket.tags).toEqual([{ name: "by-an-agent" }, { name: "vip" }]);
  });

  it("cost one read when there is nothing to change", async () => {
    const bench = await openGorgiasBench();
    await ticketOf(bench);
    bench.calls();
    await bench.run("ticket.tag", tags({ add: ["Late"], remove: ["never-there"] }), "t");
    expect(bench.calls()).toHaveLength(1);
  });

  it("are written again when somebody wrote over them, with what they wrote", async () => {
    const bench = await openGorgiasBench();
    const ticket = await ticketOf(bench);
    bench.faults.next(afterwards(() => (ticket.tags = [{ name: "late" }, { name: "by-a-rule" }])));
    await bench.run("ticket.tag", tags({ add: ["vip"] }), "t");
    expect(ticket.tags.map(({ name }) => name)).toEqual(["late", "by-a-rule", "vip"]);
  });

  it("end in a conflict when they are written over each time", async () => {
    const bench = await openGorgiasBench();
    const ticket = await ticketOf(bench);
    const again = afterwards(() => (ticket.tags = [{ name: "late" }]));
    bench.faults.next(again, again, again);
    const tagging = bench.run("ticket.tag", tags({ add: ["vip"] }), "t");
    await expect(tagging).rejects.toMatchObject({ code: "target_conflict", retry: "retry" });
    expect(await bench.run("ticket.tag", tags({ add: ["vip"] }), "t")).toMatchObject({ result: "updated" });
  });

  it("are put on before the message of a repeat, which sets off the account's rules", async () => {
    const bench = await openGorgiasBench();
    await ticketOf(bench);
    bench.calls();
    await bench.open("again", { tags: ["late", "twice"] });
    const calls = bench.calls().map((call) => call.replace(/\d+/, "ID"));
    expect(calls).toEqual([
      "GET /api/tickets/ID",
      "PUT /api/tickets/ID",
      "GET /api/tickets/ID",
      "POST /api/tickets/ID/messages",
    ]);
  });
});

describe("custom fields on Gorgias, which replaces them all", () => {
  it("are changed by id or by name, and the others stay", async () => {
    const bench = await openGorgiasBench({ customFields: { order: 9 } });
    const ticket = await ticketOf(bench);
    await bench.run("ticket.update", { key, customFields: { order: "#1001", "8": 3 } }, "u");
    const values = Object.values(ticket.custom_fields).map(({ id, value }) => [id, value]);
    expect(values).toEqual([
      [7, "seven"],
      [8, 3],
      [9, "#1001"],
    ]);
  });

  it("of an unknown name are refused before anything is written", async () => {
    const bench = await openGorgiasBench();
    await ticketOf(bench);
    const update = bench.run("ticket.update", { key, customFields: { colour: "red" } }, "u");
    await expect(update).rejects.toMatchObject({ code: "operation_invalid" });
    const create = bench.open("other", { key: "fulfillment:2", customFields: { colour: "red" } });
    await expect(create).rejects.toMatchObject({ code: "operation_invalid" });
    expect(bench.stub.ticketsWith("fulfillment:2")).toEqual([]);
  });

  it("in a form that is not known are left alone", async () => {
    const bench = await openGorgiasBench();
    const ticket = await ticketOf(bench);
    Object.assign(ticket, { custom_fields: { colour: "red" } });
    const update = bench.run("ticket.update", { key, customFields: { "8": 3 } }, "u");
    await expect(update).rejects.toMatchObject({ code: "target_protocol" });
    expect(ticket.custom_fields).toEqual({ colour: "red" });
  });
});
