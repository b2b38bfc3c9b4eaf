import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AppError } from "../../src/errors.ts";
import type { OperationInput } from "../../src/model/operation.ts";
import type { EffectReceipt } from "../../src/sdk/desk.ts";
import { createEffectMemory } from "../../src/sdk/testing/effect-memory.ts";
import { createEffectCall } from "../../src/sdk/write-once.ts";
import type { LookupDesk, WriteFault } from "../support/lookup-desk.ts";
import { createLookupDesk } from "../support/lookup-desk.ts";

type TicketOpen = OperationInput<"ticket.open">;

function opening(facts: Partial<TicketOpen> = {}): TicketOpen {
  return {
    key: "fulfillment:1",
    requester: { email: "ada@example.com" },
    subject: "Order 1",
    message: "It failed.",
    visibility: "public",
    tags: [],
    orders: [],
    onClosed: "reopen",
    ...facts,
  };
}

const created = {
  result: "created",
  kind: "ticket",
  id: "2",
  number: "2",
  url: "https://acme.example.com/2",
};

/** Runs operations on one desk with one record of effects; `clock.ms` is that record's time. */
function bench(
  lookup: LookupDesk = createLookupDesk(),
  clock = { ms: 0 },
  log = createEffectMemory(() => clock.ms),
) {
  const { desk } = lookup;
  const call = (effectKey: string) =>
    createEffectCall({
      effectKey,
      signal: new AbortController().signal,
      idempotency: desk.idempotency,
      log: () => log,
    });
  return {
    ...lookup,
    clock,
    log,
    open: async (effectKey: string, facts: Partial<TicketOpen> = {}): Promise<EffectReceipt> =>
      desk.operations["ticket.open"]!(opening(facts), await call(effectKey)),
    note: async (effectKey: string, message = "A note."): Promise<EffectReceipt> =>
      desk.operations["ticket.note"]!({ key: "fulfillment:1", message }, await call(effectKey)),
    close: async (effectKey: string, message?: string): Promise<EffectReceipt> =>
      desk.operations["ticket.close"]!(
        { key: "fulfillment:1", ...(message === undefined ? {} : { message }) },
        await call(effectKey),
      ),
  };
}

describe("ticket.open on a desk that can only be asked", () => {
  it("opens a ticket, and a repeat lands on it", async () => {
    const { open, tickets, calls } = bench();
    expect(await open("a")).toEqual(created);
    expect(calls).toEqual(["find", "create"]);
    expect(await open("b", { message: "Again." })).toMatchObject({ result: "appended", id: "2" });
    // The link is known by now: no search, one read, one write.
    expect(calls.slice(2)).toEqual(["read", "say"]);
    expect(tickets.map(({ messages }) => messages.map(({ text }) => text))).toEqual([
      ["It failed.", "Again."],
    ]);
  });

  it("asks the desk whether a lost create took effect, not before the desk can tell", async () => {
    const { open, tickets, faults, clock, calls } = bench(createLookupDesk(5));
    faults.push("lost");
    await expect(open("a")).rejects.toMatchObject({ code: "target_unavailable" });
    // Nobody saw the end of the call, so it may take effect as late as any.
    await expect(open("a")).rejects.toMatchObject({ code: "effect_pending", retryAfterMs: 37_000 });
    clock.ms += 37_000;
    expect(await open("a")).toMatchObject({ result: "created", replayed: true });
    expect(await open("a")).toMatchObject({ result: "created", replayed: true });
    expect(tickets).toHaveLength(1);
    expect(calls.filter((name) => name === "create")).toHaveLength(1);
  });

  it("waits for the lag alone after an answer that does not tell whether the call took effect", async () => {
    const { open, tickets, faults, clock } = bench(createLookupDesk(5));
    faults.push("nonsense");
    await expect(open("a")).rejects.toMatchObject({ code: "target_protocol" });
    await expect(open("a")).rejects.toMatchObject({ code: "effect_pending", retryAfterMs: 5000 });
    clock.ms += 5000;
    expect(await open("a")).toMatchObject({ result: "created", replayed: true });
    expect(tickets).toHaveLength(1);
  });

  it("sends again at once what was refused or never reached the desk", async () => {
    for (const fault of ["refused", "unreached"] as const) {
      const { open, tickets, faults } = bench();
      faults.push(fault);
      await expect(open("a")).rejects.toBeInstanceOf(AppError);
      expect(await open("a")).toEqual(created);
      expect(tickets).toHaveLength(1);
    }
  });

  it("takes the oldest of two tickets that carry the key, and says how many there are", async () => {
    const { open, tickets } = bench();
    await open("a");
    const twin = { ...tickets[0]!, id: "99", messages: [], tags: new Set<string>() };
    // Another record, which knows no link: the desk is asked.
    const unlinked = bench();
    unlinked.tickets.push(...tickets, twin);
    expect(await unlinked.note("n")).toMatchObject({ result: "appended", matches: 2 });
    expect(unlinked.tickets[0]?.messages.at(-1)?.text).toBe("A note.");
    expect(twin.messages).toEqual([]);
  });

  it("opens a new ticket when the old one was deleted, and goes to the survivor of a merge", async () => {
    const { open, note, tickets } = bench();
    await open("a");
    tickets[0]!.deleted = true;
    await expect(note("n")).rejects.toMatchObject({ code: "target_not_found" });
    expect(await open("b")).toMatchObject({ result: "created" });
    const survivor = { ...tickets[1]!, id: "50", key: "other", messages: [], tags: new Set<string>() };
    tickets.push(survivor);
    tickets[1]!.mergedInto = "50";
    expect(await open("c", { message: "Again." })).toMatchObject({ result: "appended", id: "50" });
    expect(survivor.messages).toHaveLength(1);
    expect(await note("n")).toMatchObject({ result: "appended" });
    expect(survivor.messages).toHaveLength(2);
  });

  it("reopens a solved ticket, follows up one that is closed for good, and ignores it when told", async () => {
    const { open, close, tickets } = bench();
    await open("a");
    await close("c", "Done.");
    expect(await open("i", { onClosed: "ignore" })).toMatchObject({ result: "ignored" });
    expect(await open("r")).toMatchObject({ result: "reopened" });
    tickets[0]!.standing = "closed";
    expect(await close("c2")).toMatchObject({ result: "unchanged" });
    const first = await open("f");
    expect(first).toMatchObject({ result: "followed_up" });
    expect(tickets[1]).toMatchObject({ followUpOf: tickets[0]!.id, key: "fulfillment:1" });
    expect(await open("g")).toMatchObject({ result: "appended", id: first.id! });
  });

  it("finds a follow-up whose answer was lost, past the older tickets of the key", async () => {
    const { open, tickets, faults, clock } = bench();
    await open("a");
    tickets[0]!.standing = "closed";
    await open("b");
    tickets[1]!.standing = "closed";
    faults.push("lost");
    await expect(open("c")).rejects.toMatchObject({ retry: "retry" });
    clock.ms += 60_000;
    expect(await open("c")).toMatchObject({ result: "followed_up", id: tickets[2]!.id, replayed: true });
    expect(tickets).toHaveLength(3);
  });

  it("lets one of two effects that name the same new key make the ticket; the other appends", async () => {
    const { open, tickets, faults, clock } = bench();
    faults.push("lost");
    await expect(open("a")).rejects.toMatchObject({ retry: "retry" });
    // The other one finds what the first has made, whether or not that knows already.
    expect(await open("b", { message: "Second." })).toMatchObject({ result: "appended" });
    clock.ms += 60_000;
    expect(await open("a")).toMatchObject({ result: "created", replayed: true });
    expect(tickets.map(({ messages }) => messages.map(({ text }) => text))).toEqual([
      ["It failed.", "Second."],
    ]);
  });

  it("says its message on the ticket that another effect made after a long silence of the first", async () => {
    const { open, tickets, faults, clock } = bench();
    faults.push("dropped");
    await expect(open("a")).rejects.toMatchObject({ code: "target_timeout" });
    await expect(open("b", { message: "Second." })).rejects.toMatchObject({ code: "effect_pending" });
    clock.ms += 200_000;
    expect(await open("b", { message: "Second." })).toMatchObject({ result: "created" });
    expect(await open("a")).toMatchObject({ result: "appended" });
    expect(await open("a")).toMatchObject({ result: "appended", replayed: true });
    expect(tickets.map(({ messages }) => messages.map(({ text }) => text))).toEqual([
      ["Second.", "It failed."],
    ]);
  });

  it("makes a deleted ticket anew although another effect had begun to do so and let it be", async () => {
    const { open, tickets, faults, clock } = bench();
    await open("old");
    tickets[0]!.deleted = true;
    faults.push("dropped", "refused");
    await expect(open("a")).rejects.toMatchObject({ code: "target_timeout" });
    clock.ms += 200_000;
    await expect(open("b")).rejects.toMatchObject({ code: "target_rejected" });
    expect(await open("a")).toMatchObject({ result: "created" });
    expect(tickets).toHaveLength(2);
  });

  it("writes to no ticket of another account that has the same id", async () => {
    const sandbox = bench();
    await sandbox.open("a");
    const live = bench(createLookupDesk(5, 30, "other"), sandbox.clock, sandbox.log);
    await live.open("s", { key: "a stranger's" });
    const [stranger] = live.tickets;
    expect(stranger?.id).toBe(sandbox.tickets[0]?.id);
    await expect(live.note("n")).rejects.toMatchObject({ code: "target_not_found" });
    live.faults.push("dropped");
    await expect(live.open("b")).rejects.toMatchObject({ code: "target_timeout" });
    live.clock.ms += 60_000;
    expect(await live.open("b")).toMatchObject({ result: "created" });
    expect(await live.note("n")).toMatchObject({ result: "appended" });
    expect(stranger?.messages).toHaveLength(1);
    expect(live.tickets[1]?.messages.map(({ text }) => text)).toEqual(["It failed.", "A note."]);
  });

  it("finds a message whose answer was lost on the ticket that was merged or followed up since", async () => {
    for (const since of ["merged", "followed up"]) {
      const { open, note, tickets, faults, clock } = bench();
      await open("a");
      faults.push("lost");
      await expect(note("n")).rejects.toMatchObject({ code: "target_unavailable" });
      clock.ms += 60_000;
      if (since === "merged") {
        tickets.push({ ...tickets[0]!, id: "50", key: "other", messages: [] });
        tickets[0]!.mergedInto = "50";
      } else {
        tickets[0]!.standing = "closed";
        await open("b");
      }
      expect(await note("n")).toMatchObject({ result: "appended", replayed: true });
      expect(tickets[0]!.messages.map(({ text }) => text)).toEqual(["It failed.", "A note."]);
      expect(tickets[1]!.messages.filter(({ text }) => text === "A note.")).toEqual([]);
    }
  });

  it("loses and doubles nothing when several effects that name one key take turns", async () => {
    const fault = fc.option(fc.constantFrom<WriteFault>("refused", "dropped", "lost", "nonsense"), {
      nil: undefined,
    });
    const turn = fc.record({
      effect: fc.constantFrom("a", "b", "c", "d"),
      laterMs: fc.constantFrom(0, 4000, 40_000, 200_000),
      after: fc.constantFrom("nothing", "nothing", "solved", "closed"),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fault, { maxLength: 12 }),
        fc.array(turn, { maxLength: 20 }),
        async (faults, turns) => {
          const desk = bench();
          desk.faults.push(...faults);
          const over = new Set<string>();
          const attempt = async (effect: string, message: string): Promise<void> => {
            if (over.has(effect)) return;
            await desk.open(effect, { message, onClosed: "followUp" }).then(
              () => over.add(effect),
              () => undefined,
            );
          };
          for (const { effect, laterMs, after } of turns) {
            await attempt(effect, effect);
            desk.clock.ms += laterMs;
            const last = desk.tickets.at(-1);
            if (after !== "nothing" && last !== undefined) last.standing = after;
          }
          const effects = [...new Set(turns.map(({ effect }) => effect))];
          for (let left = 60; left > 0; left -= 1) {
            for (const effect of effects) await attempt(effect, effect);
            desk.clock.ms += 200_000;
          }
          expect([...over].toSorted()).toEqual(effects.toSorted());
          const said = desk.tickets.flatMap(({ messages }) => messages.map(({ text }) => text));
          expect(said.toSorted()).toEqual(effects.toSorted());
        },
      ),
      { numRuns: 500 },
    );
  });

  it("makes each effect happen exactly once, whatever faults and repeats there are", async () => {
    const fault = fc.option(
      fc.constantFrom<WriteFault>("refused", "unreached", "dropped", "lost", "nonsense"),
      {
        nil: undefined,
      },
    );
    const step = fc.record({
      effect: fc.constantFrom("a", "b", "c"),
      closes: fc.boolean(),
      policy: fc.constantFrom("reopen", "followUp"),
      forGood: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fault, { maxLength: 12 }),
        fc.array(step, { maxLength: 12 }),
        async (faults, steps) => {
          const desk = bench();
          desk.faults.push(...faults);
          const run = async (effect: string, onClosed: "reopen" | "followUp"): Promise<void> => {
            for (let left = 60; left > 0; left -= 1) {
              try {
                await desk.open(effect, { message: effect, onClosed });
                return;
              } catch {
                desk.clock.ms += 200_000;
              }
            }
            throw new Error("it never came to an end");
          };
          for (const { effect, closes, policy, forGood } of steps) {
            await run(effect, policy);
            const last = desk.tickets.at(-1);
            if (closes && last !== undefined) last.standing = forGood ? "closed" : "solved";
          }
          const said = desk.tickets.flatMap(({ messages }) => messages.map(({ text }) => text));
          const effects = [...new Set(steps.map(({ effect }) => effect))];
          expect(said.toSorted()).toEqual(effects.toSorted());
        },
      ),
      { numRuns: 300 },
    );
  });
});
