import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { opening, openZendeskBench } from "../support/zendesk-bench.ts";
import type { ZendeskBench } from "../support/zendesk-bench.ts";
import { readZendeskContract } from "../support/zendesk-contract.ts";

const contract = readZendeskContract();
let bench: ZendeskBench;

beforeEach(async () => {
  bench = await openZendeskBench({}, contract);
});

afterEach(() => bench.close());

describe("contacts on zendesk", () => {
  it("are refused when the address belongs to somebody with another external id", async () => {
    const { run, stub } = bench;
    await run("contact.upsert", { email: "ada@example.com", externalId: "1" }, "a");
    const other = run("contact.upsert", { email: "ADA@example.com", externalId: "2", name: "Eve" }, "b");
    await expect(other).rejects.toMatchObject({ code: "target_rejected", retry: "stop" });
    await expect(other).rejects.toThrow(new RegExp(`user ${stub.users[0]?.id}`));
    expect(stub.users).toMatchObject([{ externalId: "1", name: "ada@example.com" }]);
  });

  it("are refused when external id and address belong to two, and both are named", async () => {
    const { run, stub } = bench;
    await run("contact.upsert", { email: "ada@example.com", name: "Ada" }, "a");
    await run("contact.upsert", { externalId: "2", name: "Eve" }, "b");
    const both = run("contact.upsert", { email: "ada@example.com", externalId: "2" }, "c");
    const ids = stub.users.map(({ id }) => id);
    await expect(both).rejects.toThrow(new RegExp(`${ids[1]}, ${ids[0]}`));
    await expect(both).rejects.toMatchObject({ code: "target_rejected" });
  });

  it("are refused when the number alone fits several", async () => {
    const { run, stub } = bench;
    for (const id of ["1", "2"]) {
      await run("contact.upsert", { externalId: id, phone: "+15550100" }, `make ${id}`);
    }
    const byPhone = run("contact.upsert", { phone: "+1 555 0100", name: "Ada" }, "a");
    await expect(byPhone).rejects.toMatchObject({ code: "target_rejected" });
    expect(stub.users).toHaveLength(2);
  });

  it("keep their name and address when only other facts are told", async () => {
    const { run, stub } = bench;
    await run("contact.upsert", { email: "ada@example.com", name: "Ada" }, "a");
    const change = { email: "ada@example.com", customFields: { vip: true } };
    expect(await run("contact.upsert", change, "b")).toMatchObject({ result: "updated" });
    expect(stub.users).toMatchObject([{ name: "Ada", email: "ada@example.com", fields: { vip: true } }]);
  });

  it("are as told when another effect has made them after a call that never arrived", async () => {
    const { run, stub, faults, wait } = bench;
    const first = () => run("contact.upsert", { email: "ada@example.com", name: "Ada" }, "a");
    faults.next({ kind: "drop", when: "before" });
    await expect(first()).rejects.toMatchObject({ code: "target_unavailable" });
    await run("contact.upsert", { email: "ada@example.com", phone: "+15550100" }, "b");
    wait(600);
    expect(await first()).toMatchObject({ id: String(stub.users[0]?.id), replayed: true });
    expect(stub.users).toMatchObject([{ name: "Ada", email: "ada@example.com" }]);
  });

  it("are one when the search does not show the first yet", async () => {
    const { run, stub } = bench;
    await run("contact.upsert", { email: "ada@example.com", name: "Ada" }, "a");
    stub.unindexed.add(stub.users[0]!.id);
    const again = await run("contact.upsert", { email: "ada@example.com", name: "Ada L." }, "b");
    expect(again).toMatchObject({ result: "updated", id: String(stub.users[0]?.id) });
    expect(stub.users).toHaveLength(1);
  });

  it("carry the vendor's words when it refuses them", async () => {
    const { run, stub } = bench;
    await run("contact.upsert", { email: "ada@example.com", name: "Ada" }, "a");
    stub.answerNext("PUT", /users/, {
      status: 422,
      body: {
        error: "RecordInvalid",
        description: "Record validation errors",
        details: { phone: [{ description: "is not valid" }] },
      },
    });
    const bad = run("contact.upsert", { email: "ada@example.com", phone: "1" }, "b");
    await expect(bad).rejects.toThrow(/RecordInvalid.*Record validation errors/);
    await expect(bad).rejects.toMatchObject({ code: "target_rejected" });
  });
});

describe("requesters on zendesk", () => {
  it("are known by external id or number, one person over several tickets", async () => {
    const { run, stub } = bench;
    for (const [index, requester] of [{ externalId: "c7" }, { phone: "+15550100" }].entries()) {
      await run("ticket.open", opening({ key: `a${index}`, requester }), `a${index}`);
      await run("ticket.open", opening({ key: `b${index}`, requester }), `b${index}`);
    }
    expect(stub.users.map(({ externalId }) => externalId)).toEqual(["c7", "phone:15550100"]);
    const [first, second] = stub.users.map(({ id }) => id);
    expect(stub.tickets.map(({ requesterId }) => requesterId)).toEqual([first, first, second, second]);
  });

  it("are named by the desk's own id, which is digits", async () => {
    const { run, stub } = bench;
    await run("contact.upsert", { email: "ada@example.com", name: "Ada" }, "a");
    const id = String(stub.users[0]?.id);
    await run("ticket.open", opening({ requester: { id } }), "b");
    expect(stub.tickets[0]?.requesterId).toBe(stub.users[0]?.id);
    const odd = run("ticket.open", opening({ key: "other", requester: { id: "../1" } }), "c");
    await expect(odd).rejects.toMatchObject({ code: "operation_invalid" });
  });

  it("who are suspended get no ticket, and the vendor's word is kept without their name", async () => {
    const { run, stub } = bench;
    await run("ticket.open", opening(), "a");
    stub.users[0]!.isSuspended = true;
    const other = run("ticket.open", opening({ key: "other" }), "b");
    await expect(other).rejects.toMatchObject({ code: "target_rejected", retry: "stop" });
    await expect(other).rejects.toThrow(/suspended/);
  });
});
