import { ticketPriorities, ticketStatuses } from "../model/data.ts";
import { closedPolicy } from "../model/operation.ts";

/** Words of our own, which say nothing about a person. */
const ownWords = new Set<string>([
  ...ticketStatuses,
  ...ticketPriorities,
  ...closedPolicy.options,
  "public",
  "internal",
]);

/**
 * Mapped values as they may be shown to whoever looks over a shoulder: the form stays, every text and number gives way to dots. Of a text the
 * length is told, so that an empty or cut one can still be seen.
 */
export function maskValues(value: unknown): unknown {
  if (typeof value === "string") return ownWords.has(value) ? value : `••• (${value.length} characters)`;
  if (typeof value === "number" || typeof value === "bigint") return "•••";
  if (Array.isArray(value)) return value.map(maskValues);
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, maskValues(inner)]));
  }
  return value;
}
