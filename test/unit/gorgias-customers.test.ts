import { describe, expect, it } from "vitest";
import { createCustomer } from "../support/gorgias-customers.ts";
import type { GorgiasBench } from "../support/gorgias-bench.ts";
import { openGorgiasBench } from "../support/gorgias-bench.ts";

const email = "ada@example.com";
const phone = "+15024592181";

type Person = Readonly<Record<string, unknown>>;

function add({ stub }: GorgiasBench, person: Person) {
  return createCustomer(stub.state, person);
}

const channel = (type: string, address: string) => ({ type, address, preferred: false });

describe("a contact on Gorgias", () => {
  it("is made with its addresses as channels", async () => {
    const { run, stub, calls } = await openGorgiasBench();
    const receipt = await run("contact.upsert", { email, phone, externalId: "7", name: "Ada" }, "a");
    const [made] = stub.state.customers.values();
    expect(receipt).toEqual({ result: "created", kind: "contact", id: String(made!.id) });
    expect(made).toMatchObject({ email, name: "Ada", external_id: "7" });
    expect(made?.channels.map(({ type, address }) => [type, address])).toEqual([
      ["email", email],
      ["phone", phone],
    ]);
    expect(calls()).toEqual([...Array<string>(3).fill("GET /api/customers"), "POST /api/customers"]);
  });

  it("is left alone when nothing is new, with one read once its id is known", async () => {
    const { run, calls } = await openGorgiasBench();
    await run("contact.upsert", { email, name: "Ada" }, "a");
    calls();
    expect(await run("contact.upsert", { email, name: "Ada" }, "b")).toMatchObject({ result: "unchanged" });
    expect(calls()).toHaveLength(1);
  });

  it("keeps its other channels when it gets a new one, although Gorgias replaces them all", async () => {
    const bench = await openGorgiasBench();
    const one = add(bench, {
      email,
      channels: [channel("facebook", "ada.l"), channel("phone", "+49301234567")],
    });
    expect(await bench.run("contact.upsert", { email, phone }, "a")).toMatchObject({ result: "updated" });
    expect(one.channels.map(({ address }) => address).toSorted()).toEqual(
      ["+15024592181", "+49301234567", email, "ada.l"].toSorted(),
    );
  });

  it("takes on an external id where it has none, and is found by it after its address changed", async () => {
    const bench = await openGorgiasBench();
    const one = add(bench, { email });
    await bench.run("contact.upsert", { email, externalId: "7" }, "a");
    bench.forget();
    const receipt = await bench.run("contact.upsert", { email: "new@example.com", externalId: "7" }, "b");
    expect(receipt).toMatchObject({ result: "updated", id: String(one.id) });
    expect(one).toMatchObject({ email: "new@example.com", external_id: "7" });
    expect(one.channels.map(({ address }) => address)).toEqual([email, "new@example.com"]);
  });

  it("is never merged on an e-mail address alone: one with another external id is a conflict", async () => {
    const bench = await openGorgiasBench();
    const other = add(bench, { email, external_id: "8" });
    const upsert = bench.run("contact.upsert", { email, externalId: "7", name: "Eve" }, "a");
    const details = { outcome: "conflict", customer: String(other.id) };
    await expect(upsert).rejects.toMatchObject({ code: "target_rejected", details });
    expect(other).toMatchObject({ external_id: "8", name: null });
    expect(bench.stub.state.customers.size).toBe(1);
  });

  it("does not get an address that another customer has", async () => {
    const bench = await openGorgiasBench();
    const one = add(bench, { email: "old@example.com", external_id: "7" });
    add(bench, { email });
    const upsert = bench.run("contact.upsert", { email, externalId: "7" }, "a");
    await expect(upsert).rejects.toMatchObject({ code: "target_rejected", details: { outcome: "conflict" } });
    expect(one.email).toBe("old@example.com");
  });

  it("is not chosen among several: they are named", async () => {
    const bench = await openGorgiasBench();
    const ids = [add(bench, { external_id: "7" }), add(bench, { external_id: "7" })].map(({ id }) =>
      String(id),
    );
    const upsert = bench.run("contact.upsert", { externalId: "7", email }, "a");
    const details = { outcome: "ambiguous", customers: ids.toReversed() };
    await expect(upsert).rejects.toMatchObject({ code: "target_rejected", details });
  });

  it("is known by a phone number unless its address says that it is somebody else", async () => {
    const bench = await openGorgiasBench();
    const household = add(bench, { email: "other@example.com", channels: [channel("phone", phone)] });
    expect(await bench.run("contact.upsert", { phone, name: "Eve" }, "a")).toMatchObject({
      id: String(household.id),
    });
    bench.forget();
    // Gorgias gives a number to one customer only, so there is no second one either.
    const upsert = bench.run("contact.upsert", { phone, email }, "b");
    const details = { outcome: "conflict", customer: String(household.id) };
    await expect(upsert).rejects.toMatchObject({ code: "target_rejected", details });
    expect(household.email).toBe("other@example.com");
  });

  it("is the one that somebody else made in between", async () => {
    const bench = await openGorgiasBench();
    bench.faults.next({ kind: "run", when: "before", run: () => void add(bench, { email }) });
    const receipt = await bench.run("contact.upsert", { email, name: "Ada" }, "a");
    const [one] = bench.stub.state.customers.values();
    expect(receipt).toEqual({ result: "updated", kind: "contact", id: String(one!.id) });
    expect(bench.stub.state.customers.size).toBe(1);
    expect(one?.name).toBe("Ada");
  });

  it("is as told when somebody else made it after a call that never arrived", async () => {
    const bench = await openGorgiasBench();
    bench.faults.next({ kind: "drop", when: "before" });
    const upsert = () => bench.run("contact.upsert", { email, name: "Ada" }, "a");
    await expect(upsert()).rejects.toMatchObject({ retry: "retry" });
    const other = add(bench, { email });
    bench.clock.ms += 600_000;
    expect(await upsert()).toMatchObject({ id: String(other.id), replayed: true });
    expect(other.name).toBe("Ada");
  });

  it("is looked for anew when it was merged into another", async () => {
    const bench = await openGorgiasBench();
    const first = await bench.run("contact.upsert", { email }, "a");
    bench.stub.state.customers.delete(Number(first.id));
    const survivor = add(bench, { email: "main@example.com", channels: [channel("email", email)] });
    // Gorgias finds customers by their first address only; the refusal of a second one leads to who has it.
    expect(await bench.run("contact.upsert", { email }, "b")).toMatchObject({ id: String(survivor.id) });
    expect(survivor.email).toBe("main@example.com");
  });

  it("cannot have custom fields", async () => {
    const { run, calls } = await openGorgiasBench();
    const upsert = run("contact.upsert", { email, customFields: { vip: true } }, "a");
    await expect(upsert).rejects.toMatchObject({ code: "operation_invalid" });
    expect(calls()).toEqual([]);
  });
});
