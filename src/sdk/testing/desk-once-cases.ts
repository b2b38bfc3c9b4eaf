import { expect } from "vitest";
import { AppError } from "../../errors.ts";
import type { EffectReceipt } from "../desk.ts";
import type { DeskCase, DeskKit } from "./desk.ts";

const open = ["ticket.open"] as const;

/** The cases about effects that happen once. */
export const deskOnceCases: readonly DeskCase[] = [
  {
    name: "declares that it takes idempotency keys, for a day or more",
    needs: [],
    only: "key",
    run: declaresKeys,
  },
  { name: "declares how long a lookup lags behind a write", needs: [], only: "lookup", run: declaresLag },
  { name: "opens one ticket when the same effect is sent twice", needs: open, run: openTwice },
  {
    name: "opens one ticket when the same effect is sent by twenty at once",
    needs: open,
    // Elsewhere the lane's lease keeps an effect from being sent by two at once.
    only: "key",
    run: openAtOnce,
  },
  {
    name: "opens one ticket when twenty effects name the same new key at once",
    needs: open,
    run: keysAtOnce,
  },
  {
    name: "adds a message once when the same effect is sent twice",
    needs: [...open, "ticket.note"],
    run: noteTwice,
  },
  { name: "appends once when a repeat is sent twice", needs: open, run: appendTwice },
  {
    name: "answers an old effect as it did at first, whatever happened since",
    needs: [...open, "ticket.close"],
    run: oldEffect,
  },
  {
    name: "makes one contact when the same effect is sent twice",
    needs: ["contact.upsert"],
    run: contactTwice,
  },
  {
    name: "makes one contact of the same address in twenty tickets at once",
    needs: open,
    run: contactAtOnce,
  },
  { name: "makes one order when the same effect is sent twice", needs: ["order.upsert"], run: orderTwice },
  { name: "acts once when the answer is lost and the effect is sent again", needs: open, run: lostAnswer },
  {
    name: "acts once when the answer is lost twice",
    needs: [...open, "ticket.reply"],
    // Elsewhere the second try asks, and writes nothing that could be lost.
    only: "key",
    run: lostTwice,
  },
];

async function declaresKeys({ desk: { idempotency } }: DeskKit): Promise<void> {
  expect(idempotency.kind).toBe("key");
  if (idempotency.kind === "key") expect(idempotency.windowSeconds).toBeGreaterThanOrEqual(86_400);
}

async function declaresLag({ desk: { idempotency } }: DeskKit): Promise<void> {
  expect(idempotency.kind).toBe("lookup");
  if (idempotency.kind === "lookup") expect(idempotency.lagSeconds).toBeGreaterThanOrEqual(0);
}

async function openTwice(kit: DeskKit): Promise<void> {
  const input = kit.newTicket();
  const effect = kit.fresh("effect");
  const first = await kit.run("ticket.open", input, effect);
  const again = await kit.run("ticket.open", input, effect);
  expect(first).toMatchObject({ result: "created", kind: "ticket" });
  expect(first.id).toBeTruthy();
  expect(first.replayed ?? false).toBe(false);
  expect(again).toEqual({ ...first, replayed: true });
  await expectOneTicket(kit, input, 1);
}

async function openAtOnce(kit: DeskKit): Promise<void> {
  const input = kit.newTicket();
  const effect = kit.fresh("effect");
  await untilDone(twenty(() => () => kit.run("ticket.open", input, effect)));
  await expectOneTicket(kit, input, 1);
}

async function keysAtOnce(kit: DeskKit): Promise<void> {
  const input = kit.newTicket();
  const receipts = await untilDone(
    twenty(() => {
      const effect = kit.fresh("effect");
      return () => kit.run("ticket.open", input, effect);
    }),
  );
  expect(receipts.filter((receipt) => receipt.result === "created")).toHaveLength(1);
  expect(receipts.filter((receipt) => receipt.result === "appended")).toHaveLength(19);
  await expectOneTicket(kit, input, 20);
}

async function noteTwice(kit: DeskKit): Promise<void> {
  const input = kit.newTicket();
  const effect = kit.fresh("effect");
  await kit.run("ticket.open", input, kit.fresh("effect"));
  const first = await kit.run("ticket.note", { key: input.key, message: "Looked into it." }, effect);
  const again = await kit.run("ticket.note", { key: input.key, message: "Looked into it." }, effect);
  expect(again).toEqual({ ...first, replayed: true });
  await expectOneTicket(kit, input, 2);
}

async function appendTwice(kit: DeskKit): Promise<void> {
  const input = kit.newTicket();
  const effect = kit.fresh("effect");
  await kit.run("ticket.open", input, kit.fresh("effect"));
  await kit.run("ticket.open", { ...input, message: "It failed again." }, effect);
  const again = await kit.run("ticket.open", { ...input, message: "It failed again." }, effect);
  expect(again).toMatchObject({ result: "appended", replayed: true });
  await expectOneTicket(kit, input, 2);
}

async function oldEffect(kit: DeskKit): Promise<void> {
  const input = kit.newTicket();
  const effect = kit.fresh("effect");
  const first = await kit.run("ticket.open", input, effect);
  await kit.run("ticket.close", { key: input.key }, kit.fresh("effect"));
  expect(await kit.run("ticket.open", input, effect)).toEqual({ ...first, replayed: true });
  expect((await kit.ticket(input.key))?.status).toMatch(/solved|closed/);
}

async function contactTwice(kit: DeskKit): Promise<void> {
  const email = `${kit.fresh("person")}@example.com`;
  const effect = kit.fresh("effect");
  const first = await kit.run("contact.upsert", { email, name: "Ada" }, effect);
  const again = await kit.run("contact.upsert", { email, name: "Ada" }, effect);
  expect(first).toMatchObject({ result: "created", kind: "contact" });
  expectSameDone(kit, first, again);
  expect(await kit.countContacts(email)).toBe(1);
}

async function contactAtOnce(kit: DeskKit): Promise<void> {
  const requester = { email: `${kit.fresh("person")}@example.com` };
  const inputs = Array.from({ length: 20 }, () => kit.newTicket({ requester }));
  await untilDone(
    inputs.map((input) => {
      const effect = kit.fresh("effect");
      return () => kit.run("ticket.open", input, effect);
    }),
  );
  expect(await kit.countContacts(requester.email)).toBe(1);
  for (const input of inputs) expect((await kit.ticket(input.key))?.requesterEmail).toBe(requester.email);
}

async function orderTwice(kit: DeskKit): Promise<void> {
  const input = { source: "shop", id: kit.fresh("order"), status: "paid" };
  const effect = kit.fresh("effect");
  const first = await kit.run("order.upsert", input, effect);
  expect(first).toMatchObject({ result: "created", kind: "order" });
  expectSameDone(kit, first, await kit.run("order.upsert", input, effect));
}

async function lostAnswer(kit: DeskKit): Promise<void> {
  const input = kit.newTicket();
  const effect = kit.fresh("effect");
  kit.proxy.meet({ kind: "lost" });
  await expect(kit.run("ticket.open", input, effect)).rejects.toMatchObject({ retry: "retry" });
  expect(await kit.run("ticket.open", input, effect)).toMatchObject({ result: "created", replayed: true });
  await expectOneTicket(kit, input, 1);
}

async function lostTwice(kit: DeskKit): Promise<void> {
  const input = kit.newTicket();
  const effect = kit.fresh("effect");
  await kit.run("ticket.open", input, kit.fresh("effect"));
  const reply = () => kit.run("ticket.reply", { key: input.key, message: "It is on its way." }, effect);
  kit.proxy.meet({ kind: "lost" }, { kind: "lost" });
  await expect(reply()).rejects.toMatchObject({ retry: "retry" });
  await expect(reply()).rejects.toMatchObject({ retry: "retry" });
  expect(await reply()).toMatchObject({ replayed: true });
  await expectOneTicket(kit, input, 2);
}

/** An upsert may be made again where it changes nothing; where the desk takes keys, it says that it did not. */
function expectSameDone({ desk }: DeskKit, first: EffectReceipt, again: EffectReceipt): void {
  if (desk.idempotency.kind === "key") expect(again).toEqual({ ...first, replayed: true });
  else expect([again.kind, again.id]).toEqual([first.kind, first.id]);
}

async function expectOneTicket(
  kit: DeskKit,
  { key, subject }: { readonly key: string; readonly subject: string },
  messages: number,
): Promise<void> {
  expect((await kit.ticket(key))?.messages).toHaveLength(messages);
  expect(await kit.countTickets(subject)).toBe(1);
}

type Attempt = () => Promise<EffectReceipt>;

function twenty(make: () => Attempt): readonly Attempt[] {
  return Array.from({ length: 20 }, make);
}

// As the engine does it: what is to be retried is sent again, with the same key.
async function untilDone(attempts: readonly Attempt[]): Promise<readonly EffectReceipt[]> {
  const persist = async (attempt: Attempt): Promise<EffectReceipt> => {
    for (let left = 20; ; left -= 1) {
      try {
        return await attempt();
      } catch (error) {
        if (!(error instanceof AppError) || error.retry !== "retry" || left === 0) throw error;
      }
    }
  };
  return Promise.all(attempts.map(persist));
}
