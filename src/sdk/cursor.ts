import type { Cursor } from "./source.ts";

/** How far behind the newest time read a source looks again, and how far behind now it stays, in milliseconds. */
export interface CursorSpan {
  readonly overlapMs: number;
  readonly lagMs: number;
}

/** One version of a vendor's record, as far as the cursor needs to know it. */
export interface CursorRecord {
  /** RFC 3339 with any offset: when the vendor says that it changed. */
  readonly time: string;
  readonly id: string;
  /** Tells two states of one record apart that carry the same time. */
  readonly version?: string;
}

/**
 * Where a read stands, in milliseconds since the epoch. Everything in [`floor`, `time`) was read; `seen` holds the key and time of each
 * record delivered at or after the start of the overlap.
 */
export interface CursorState {
  readonly time: number;
  readonly floor: number;
  readonly id: string | undefined;
  readonly seen: ReadonlyMap<string, number>;
}

/** Windows begin and end at whole seconds: many vendors keep no finer times. */
const tickMs = 1000;

/**
 * The state that a stored cursor stands for; `origin` is where a read without one begins. A cursor from the future (a clock that was wrong
 * once) is brought back to what may be read now, so that it cannot stop the source for good.
 */
export function startState(
  cursor: Cursor | undefined,
  origin: number,
  now: number,
  span: CursorSpan,
): CursorState {
  if (cursor === undefined)
    return { time: origin, floor: wholeSecond(origin), id: undefined, seen: new Map() };
  const time = Date.parse(cursor.time);
  const floor = wholeSecond(cursor.floor === undefined ? time : Date.parse(cursor.floor));
  const seen = new Map(cursor.seen.map((key) => [key, Date.parse(key.split(" ", 1)[0] ?? "")] as const));
  const state = { time, floor, id: cursor.id, seen };
  if (time <= now) return state;
  const newest = readableUntil(now, span);
  return { ...state, time: newest, floor: Math.min(floor, newest), id: undefined };
}

/** The instant before which records may be read: now less the lag, at a whole second. */
export function readableUntil(now: number, span: CursorSpan): number {
  return wholeSecond(now - span.lagMs);
}

/** Where a read in this state begins, inclusive: the overlap is read again, but nothing before the floor. */
export function windowStart(state: CursorState, span: CursorSpan): number {
  return Math.max(state.floor, wholeSecond(state.time - span.overlapMs));
}

/** What a delivered record is called in the seen-set: its time, its id and, where there is one, its version. */
export function recordKey(record: CursorRecord): string {
  // A time finer than a millisecond tells two versions apart that would look the same once it is parsed.
  const version = record.version ?? (/\.\d{4,}/.test(record.time) ? record.time : undefined);
  const key = `${isoTime(Date.parse(record.time))} ${record.id}`;
  return version === undefined ? key : `${key} ${version}`;
}

/** The state after records were delivered and everything before `time` was read. Never goes back; what fell out of the overlap is forgotten. */
export function advance(
  state: CursorState,
  span: CursorSpan,
  time: number,
  delivered: readonly CursorRecord[] = [],
): CursorState {
  const next = Math.max(state.time, time);
  const last = delivered.at(-1);
  const id = last !== undefined && Date.parse(last.time) === next ? last.id : undefined;
  const seen = new Map(state.seen);
  for (const record of delivered) seen.set(recordKey(record), Date.parse(record.time));
  const moved = { time: next, floor: state.floor, id, seen };
  const kept = windowStart(moved, span);
  for (const [key, at] of seen) if (at < kept) seen.delete(key);
  return moved;
}

/** The state as it is stored. */
export function toCursor(state: CursorState): Cursor {
  const base = { time: isoTime(state.time), floor: isoTime(state.floor), seen: [...state.seen.keys()] };
  return state.id === undefined ? base : { ...base, id: state.id };
}

/** RFC 3339 UTC without needless fractions. */
export function isoTime(at: number): string {
  return new Date(at).toISOString().replace(".000Z", "Z");
}

function wholeSecond(at: number): number {
  return Math.floor(at / tickMs) * tickMs;
}
