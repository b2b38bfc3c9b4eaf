import { AppError } from "../errors.ts";
import type { Caller, Scope } from "./scope.ts";
import { mayUse } from "./scope.ts";

/** What each type of change is about, by its first word, and the scope that it takes to see it. */
const scopeByKind = {
  ticket: "tickets:read",
  message: "tickets:read",
  csat: "tickets:read",
  attachment: "tickets:read",
  contact: "contacts:read",
  order: "orders:read",
} as const satisfies Record<string, Scope>;

type ChangeKind = keyof typeof scopeByKind;

/** Every type that a change can have. A test holds the list to what the migrations write. */
export const changeTypes = [
  "ticket.created",
  "ticket.updated",
  "ticket.closed",
  "ticket.reopened",
  "ticket.merged",
  "message.created",
  "contact.created",
  "contact.updated",
  "contact.merged",
  "contact.unmerged",
  "contact.deleted",
  "order.created",
  "order.updated",
] as const satisfies readonly `${ChangeKind}.${string}`[];

export type ChangeType = (typeof changeTypes)[number];

/** Where a change stands in the feed; positions are ordered by `tx`, then `id`. */
export interface FeedPosition {
  readonly tx: number;
  readonly id: number;
}

/** Before the first change. */
export const feedStart: FeedPosition = { tx: 0, id: 0 };

/** Whether one position is behind another. */
export function isBehind(one: FeedPosition, other: FeedPosition): boolean {
  return one.tx < other.tx || (one.tx === other.tx && one.id < other.id);
}

/**
 * Throws `cursor_ahead` for a position behind the newest change: one of another database, or of a state that this one was set back from. What happens from now on
 * would not be behind it, and whoever waited there would miss it without a word.
 */
export function requireReached(after: FeedPosition, newest: FeedPosition): void {
  if (!isBehind(newest, after)) return;
  throw new AppError(
    "cursor_ahead",
    "the cursor is ahead of the feed; was the database restored from a backup?",
  );
}

/** Digits of each half of a sequence: 52 bits, all that a number holds. */
const halfDigits = 13;

/** A position as text. Later positions are greater as text, by code units; all are of one length. */
export function formatSequence({ tx, id }: FeedPosition): string {
  return tx.toString(16).padStart(halfDigits, "0") + id.toString(16).padStart(halfDigits, "0");
}

/** The position that `formatSequence` made the text of; undefined for any other text. */
export function readSequence(text: string): FeedPosition | undefined {
  if (!/^[0-9a-f]{26}$/.test(text)) return undefined;
  return {
    tx: Number.parseInt(text.slice(0, halfDigits), 16),
    id: Number.parseInt(text.slice(halfDigits), 16),
  };
}

/** Whether the pattern is `*`, a type, or a kind's `ticket.*`. */
export function isChangePattern(pattern: string): boolean {
  return pattern === "*" || changeTypes.some((type) => matches(type, pattern));
}

/** The types that any of the patterns stands for. */
export function typesOf(patterns: readonly string[]): readonly ChangeType[] {
  return changeTypes.filter((type) => patterns.some((pattern) => matches(type, pattern)));
}

function matches(type: ChangeType, pattern: string): boolean {
  if (pattern === "*" || pattern === type) return true;
  return pattern.endsWith(".*") && type.startsWith(pattern.slice(0, -1));
}

/**
 * The types among those asked for that a caller's key may read; undefined for all there are. Throws `forbidden` when there are none, or when a
 * pattern other than `*` asks for one that it may not.
 */
export function visibleTypes(
  caller: Caller,
  patterns: readonly string[] | undefined,
): readonly ChangeType[] | undefined {
  const asked = typesOf(patterns ?? ["*"]);
  const visible = asked.filter((type) => mayUse(caller, scopeOf(type)));
  const named = patterns !== undefined && !patterns.includes("*");
  const refused = asked.find((type) => !visible.includes(type) && (named || visible.length === 0));
  if (refused !== undefined) {
    throw new AppError("forbidden", `the API key ${caller.id} lacks the scope ${scopeOf(refused)}`);
  }
  return visible.length === changeTypes.length ? undefined : visible;
}

function scopeOf(type: ChangeType): Scope {
  return scopeByKind[type.slice(0, type.indexOf(".")) as ChangeKind];
}
