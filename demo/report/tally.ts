import type { Expectation } from "../day/expectation.ts";
import { countAnswered } from "../desk/agents.ts";
import type { DeskTicket } from "../desk/support-api.ts";

/** What became of a played day. */
export interface Tally {
  readonly sent: number;
  readonly accepted: number;
  readonly duplicates: number;
  readonly rejected: number;
  readonly ticketsOpened: number;
  readonly messagesAppended: number;
  /** Tickets that an agent answered in the evening. */
  readonly replied: number;
  readonly dead: number;
  readonly pending: number;
  /** Rows that the warehouse was given. */
  readonly exported: number;
  readonly seconds: number;
}

type Count = Exclude<keyof Tally, "exported" | "seconds">;

/** Tickets, and the messages that were appended to them after the first. */
export function countTickets(
  tickets: readonly DeskTicket[],
): Pick<Tally, "ticketsOpened" | "messagesAppended"> {
  const messages = tickets.reduce((sum, ticket) => sum + ticket.messages.length, 0);
  return { ticketsOpened: tickets.length, messagesAppended: messages - tickets.length };
}

/** The figures that the day implies. */
export function impliedTally(expected: Expectation): Pick<Tally, Count> {
  const messages = expected.tickets.reduce((sum, ticket) => sum + ticket.messages.length, 0);
  return {
    sent: expected.sent,
    accepted: expected.accepted,
    duplicates: expected.duplicates,
    rejected: expected.rejected,
    ticketsOpened: expected.tickets.length,
    messagesAppended: messages - expected.tickets.length,
    replied: countAnswered(expected.tickets.length),
    dead: 0,
    pending: 0,
  };
}

/** One line a figure that is another than the day implies. */
export function tallyDifferences(expected: Expectation, tally: Tally): readonly string[] {
  const implied = Object.entries(impliedTally(expected)) as [Count, number][];
  return implied
    .filter(([name, count]) => tally[name] !== count)
    .map(([name, count]) => `${name}: ${tally[name]} rather than ${count}`);
}

/** How many of a hook's requests, or their events, ended in this outcome, by the text of `GET /metrics`. */
export function readEventCount(metrics: string, outcome: "duplicate" | "rejected"): number {
  const lines = metrics.split("\n").filter((line) => line.startsWith("deskbridge_events_total{"));
  return lines
    .filter((line) => line.includes(`outcome="${outcome}"`))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
}
