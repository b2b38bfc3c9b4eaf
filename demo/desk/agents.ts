import { createSlots } from "../../src/jobs/slots.ts";
import type { DeskTicket, SupportApi } from "./support-api.ts";

const agents = ["Grace", "Noor", "Viktor"] as const;

/** What is looked at first when there is more to do than there are people. */
const urgency = ["on-hold", "cancelled", "failure", "delayed"];
const answers: Readonly<Record<string, string>> = {
  "on-hold": "We had to keep your order back for a moment; it goes out as soon as this is sorted out.",
  cancelled: "We are sorry that we had to cancel your order. Your money is on its way back to you.",
  failure: "We are sorry about your parcel. A new one leaves us today, at no cost to you.",
  delayed: "Your parcel is late; we keep an eye on it and write again when it moves.",
};

/** Every so many tickets stay unanswered for tomorrow. */
const leftOver = 6;

/** How many of a day's tickets are answered. */
export function countAnswered(tickets: number): number {
  return tickets - Math.floor(tickets / leftOver);
}

/** Has agents answer the tickets, the most urgent first, and solve those that need no more than that. Resolves with how many were answered. */
export async function answerTickets(tickets: readonly DeskTicket[], api: SupportApi): Promise<number> {
  const inOrder = tickets
    .filter((_ticket, index) => index % leftOver !== leftOver - 1)
    .toSorted((one, other) => urgencyOf(one) - urgencyOf(other));
  const slots = createSlots(agents.length);
  const answer = async (ticket: DeskTicket, index: number): Promise<void> => {
    const giveBack = await slots.take();
    try {
      const kind = kindOf(ticket);
      await api.reply(ticket.id, agents[index % agents.length] ?? agents[0], answers[kind] ?? "");
      if (kind === "on-hold" || kind === "cancelled") await api.solve(ticket.id);
    } finally {
      giveBack();
    }
  };
  await Promise.all(inOrder.map(answer));
  return inOrder.length;
}

/** By the tags that the demo's flows give. */
function kindOf({ tags }: DeskTicket): string {
  return urgency.find((tag) => tags.includes(tag)) ?? "failure";
}

function urgencyOf(ticket: DeskTicket): number {
  return urgency.indexOf(kindOf(ticket));
}
