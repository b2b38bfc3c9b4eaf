import { clip, formatTable } from "../../src/cli/table.ts";
import type { DeskTicket } from "../desk/support-api.ts";

const reasonLength = 60;

/** The tickets as a table: a line each, with the order, who it is about (no full name, no address), why, and how many messages it has. */
export function formatTickets(tickets: readonly DeskTicket[]): string {
  const columns = [
    { title: "TICKET", numeric: true },
    { title: "ORDER" },
    { title: "CUSTOMER" },
    { title: "REASON" },
    { title: "MESSAGES", numeric: true },
  ];
  const rows = tickets.map((ticket) => [
    ticket.number,
    ticket.orders[0]?.name ?? "",
    maskedName(ticket.requester.name ?? ""),
    clip(ticket.messages[0]?.text ?? ticket.subject, reasonLength),
    ticket.messages.length,
  ]);
  return formatTable(columns, rows);
}

/** "Amara Okafor" as "Amara O." */
export function maskedName(name: string): string {
  return name.trim().replace(/\s+(\S)\S*$/u, " $1.");
}
