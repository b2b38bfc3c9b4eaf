import { expect } from "vitest";
import type { DeskCase, DeskKit } from "./desk.ts";

const open = ["ticket.open"] as const;
const reopened = [...open, "ticket.close"] as const;

/** The cases about what the operations do. */
export const deskOperationCases: readonly DeskCase[] = [
  { name: "opens a ticket with all that the operation says", needs: open, run: opens },
  { name: "appends to an open ticket, adds tags and keeps the rest as it is", needs: open, run: appends },
  { name: "opens a closed ticket again", needs: reopened, run: reopens },
  { name: "opens a follow-up that takes over the key", needs: reopened, run: followsUp },
  { name: "leaves a closed ticket alone", needs: reopened, run: ignores },
  {
    name: "tells a public reply from an internal note",
    needs: [...open, "ticket.reply", "ticket.note"],
    run: tellsApart,
  },
  {
    name: "changes the fields that are given and no others",
    needs: [...open, "ticket.update"],
    run: updates,
  },
  { name: "closes a ticket with a last message", needs: reopened, run: closes },
  { name: "adds and removes tags", needs: [...open, "ticket.tag"], run: tags },
  { name: "links an order that is not known yet", needs: [...open, "order.link"], run: links },
  { name: "keeps the newer state of an order", needs: ["order.upsert"], run: keepsNewer },
  { name: "changes the contact that has the address", needs: ["contact.upsert"], run: changesContact },
  { name: "keeps every character of a text", needs: open, run: keepsText },
  { name: "takes texts of the greatest length", needs: open, run: takesLongText },
  { name: "takes keys with any printable character", needs: open, run: takesOddKeys },
];

async function opens(kit: DeskKit): Promise<void> {
  const order = {
    source: "shop",
    id: kit.fresh("order"),
    name: "#1001",
    total: { minor: 4200, currency: "EUR" },
  };
  const input = kit.newTicket({ priority: "high", tags: ["late", "vip"], orders: [order] });
  const receipt = await kit.run("ticket.open", input, kit.fresh("effect"));
  const ticket = await kit.ticket(input.key);
  expect(receipt).toMatchObject({ result: "created", kind: "ticket", id: ticket?.id });
  expect(ticket).toMatchObject({ subject: input.subject, priority: "high", orders: [order.id] });
  expect(ticket?.tags.toSorted()).toEqual(["late", "vip"]);
  expect(ticket?.requesterEmail).toBe(input.requester.email);
  expect(ticket?.messages).toEqual([{ text: input.message, visibility: "public" }]);
}

async function appends(kit: DeskKit): Promise<void> {
  const input = kit.newTicket({ priority: "low" });
  await kit.run("ticket.open", input, kit.fresh("effect"));
  const repeat = {
    ...input,
    priority: "urgent" as const,
    message: "Again.",
    tags: ["twice"],
    subject: "Other",
  };
  const receipt = await kit.run("ticket.open", repeat, kit.fresh("effect"));
  const ticket = await kit.ticket(input.key);
  expect(receipt).toMatchObject({ result: "appended", id: ticket?.id });
  expect(ticket).toMatchObject({ subject: input.subject, priority: "low" });
  expect(ticket?.tags.toSorted()).toEqual([...input.tags, "twice"].toSorted());
  expect(ticket?.messages.map((message) => message.text)).toEqual([input.message, "Again."]);
}

async function repeatOnClosed(kit: DeskKit, onClosed: "reopen" | "followUp" | "ignore") {
  const input = kit.newTicket({ onClosed });
  const first = await kit.run("ticket.open", input, kit.fresh("effect"));
  await kit.run("ticket.close", { key: input.key }, kit.fresh("effect"));
  const receipt = await kit.run("ticket.open", { ...input, message: "Again." }, kit.fresh("effect"));
  return { first, receipt, ticket: await kit.ticket(input.key) };
}

async function reopens(kit: DeskKit): Promise<void> {
  const { first, receipt, ticket } = await repeatOnClosed(kit, "reopen");
  expect(receipt).toMatchObject({ result: "reopened", id: first.id });
  expect(ticket?.status).not.toMatch(/solved|closed/);
  expect(ticket?.messages).toHaveLength(2);
}

async function followsUp(kit: DeskKit): Promise<void> {
  const { first, receipt, ticket } = await repeatOnClosed(kit, "followUp");
  expect(receipt.result).toBe("followed_up");
  expect(receipt.id).not.toBe(first.id);
  expect(ticket?.id).toBe(receipt.id);
  expect(ticket?.messages.map((message) => message.text)).toEqual(["Again."]);
}

async function ignores(kit: DeskKit): Promise<void> {
  const { first, receipt, ticket } = await repeatOnClosed(kit, "ignore");
  expect(receipt).toMatchObject({ result: "ignored", id: first.id });
  expect(ticket?.status).toMatch(/solved|closed/);
  expect(ticket?.messages).toHaveLength(1);
}

async function tellsApart(kit: DeskKit): Promise<void> {
  const input = kit.newTicket();
  await kit.run("ticket.open", input, kit.fresh("effect"));
  const reply = await kit.run("ticket.reply", { key: input.key, message: "Hello" }, kit.fresh("effect"));
  const note = await kit.run("ticket.note", { key: input.key, message: "Psst" }, kit.fresh("effect"));
  expect([reply.kind, note.kind]).toEqual(["message", "message"]);
  expect((await kit.ticket(input.key))?.messages.slice(1)).toEqual([
    { text: "Hello", visibility: "public" },
    { text: "Psst", visibility: "internal" },
  ]);
}

async function updates(kit: DeskKit): Promise<void> {
  const input = kit.newTicket({ priority: "low" });
  await kit.run("ticket.open", input, kit.fresh("effect"));
  const change = { key: input.key, status: "pending" as const };
  const receipt = await kit.run("ticket.update", change, kit.fresh("effect"));
  expect(receipt).toMatchObject({ result: "updated", kind: "ticket" });
  expect(await kit.ticket(input.key)).toMatchObject({
    status: kit.statusOf?.("pending") ?? "pending",
    priority: "low",
    subject: input.subject,
  });
}

async function closes(kit: DeskKit): Promise<void> {
  const input = kit.newTicket();
  await kit.run("ticket.open", input, kit.fresh("effect"));
  await kit.run("ticket.close", { key: input.key, message: "Done." }, kit.fresh("effect"));
  const ticket = await kit.ticket(input.key);
  expect(ticket?.status).toMatch(/solved|closed/);
  expect(ticket?.messages.map((message) => message.text)).toEqual([input.message, "Done."]);
  const again = await kit.run("ticket.close", { key: input.key }, kit.fresh("effect"));
  expect(again.result).toBe("unchanged");
}

async function tags(kit: DeskKit): Promise<void> {
  const input = kit.newTicket({ tags: ["one", "two"] });
  await kit.run("ticket.open", input, kit.fresh("effect"));
  const change = { key: input.key, add: ["three", "two"], remove: ["one", "never-there"] };
  await kit.run("ticket.tag", change, kit.fresh("effect"));
  expect((await kit.ticket(input.key))?.tags.toSorted()).toEqual(["three", "two"]);
}

async function links(kit: DeskKit): Promise<void> {
  const input = kit.newTicket();
  const order = { source: "shop", id: kit.fresh("order") };
  await kit.run("ticket.open", input, kit.fresh("effect"));
  await kit.run("order.link", { key: input.key, order }, kit.fresh("effect"));
  const again = await kit.run("order.link", { key: input.key, order }, kit.fresh("effect"));
  expect(again.result).toBe("unchanged");
  expect((await kit.ticket(input.key))?.orders).toEqual([order.id]);
}

async function keepsNewer(kit: DeskKit): Promise<void> {
  const order = { source: "shop", id: kit.fresh("order") };
  const newer = { ...order, status: "shipped", updatedAt: "2026-05-02T10:00:00Z" };
  const older = { ...order, status: "paid", updatedAt: "2026-05-01T10:00:00Z" };
  const first = await kit.run("order.upsert", newer, kit.fresh("effect"));
  const late = await kit.run("order.upsert", older, kit.fresh("effect"));
  expect(late).toMatchObject({ result: "ignored", id: first.id });
  const again = await kit.run("order.upsert", newer, kit.fresh("effect"));
  expect(again).toMatchObject({ result: "unchanged", id: first.id });
}

async function changesContact(kit: DeskKit): Promise<void> {
  const email = `${kit.fresh("person")}@example.com`;
  const first = await kit.run("contact.upsert", { email, name: "Ada" }, kit.fresh("effect"));
  const change = { email, name: "Ada Lovelace", externalId: kit.fresh("customer") };
  const second = await kit.run("contact.upsert", change, kit.fresh("effect"));
  expect(second).toMatchObject({ result: "updated", id: first.id });
  expect(await kit.countContacts(email)).toBe(1);
}

async function keepsText(kit: DeskKit): Promise<void> {
  const message =
    "„Größe 38⅔“ 👩‍👩‍👧 日本語 עברית \u202eoff\u202c 'q' \"Q\" \\n <b>&amp;</b> {{ x }} ; drop table ticket; --\r\n\tend";
  const input = kit.newTicket({ message, subject: kit.fresh("Zażółć 🚚 <script>") });
  await kit.run("ticket.open", input, kit.fresh("effect"));
  const ticket = await kit.ticket(input.key);
  expect(ticket?.subject).toBe(input.subject);
  expect(ticket?.messages[0]?.text).toBe(message);
}

async function takesLongText(kit: DeskKit): Promise<void> {
  const input = kit.newTicket({ message: "ß".repeat(65_536), subject: kit.fresh("s").padEnd(500, "é") });
  await kit.run("ticket.open", input, kit.fresh("effect"));
  const ticket = await kit.ticket(input.key);
  expect(ticket?.subject).toHaveLength(500);
  expect(ticket?.messages[0]?.text).toBe(input.message);
}

async function takesOddKeys(kit: DeskKit): Promise<void> {
  for (const odd of ["a/b?c#d", "100%25", "ключ +&=", "x".repeat(150), "..%2f..", "'; --"]) {
    const input = kit.newTicket({ key: `${odd} ${kit.fresh("key")}` });
    await kit.run("ticket.open", input, kit.fresh("effect"));
    expect((await kit.ticket(input.key))?.subject).toBe(input.subject);
  }
}
