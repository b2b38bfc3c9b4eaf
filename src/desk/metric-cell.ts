import { binCount } from "./metric-histogram.ts";

/** Where in a cell a figure is kept. Sums are in seconds. */
export const slot = {
  created: 0,
  /** Tickets opened and reopened, less those solved. */
  flow: 1,
  replied: 2,
  replySum: 3,
  replyBusinessSum: 4,
  solved: 5,
  resolutionSum: 6,
  resolutionBusinessSum: 7,
  reopened: 8,
  oneTouch: 9,
  rated: 10,
  ratingSum: 11,
  ratedWell: 12,
  /** First bins of the four histograms. */
  replyBins: 16,
  replyBusinessBins: 16 + binCount,
  resolutionBins: 16 + 2 * binCount,
  resolutionBusinessBins: 16 + 3 * binCount,
} as const;

/** How many figures a cell has. Nearly all of them are zero. */
export const slotCount = 16 + 4 * binCount;

/** Figures by slot; a slot that is not there is zero. */
export type Cell = Map<number, number>;

export function addTo(cell: Cell, at: number, amount: number): void {
  cell.set(at, (cell.get(at) ?? 0) + amount);
}

// Numbers are packed into text of ASCII, because that is what goes between PostgreSQL and us without being turned into something else: digits to the base of
// 48, the lowest first. A digit is a character from 32 on, the last digit of a number, or one from 80 on when more digits follow.
const base = 48;
const firstLast = 32;
const firstMore = 80;

/** A cell as text: for each figure that is not zero, in order, the distance from the slot before and the figure. */
export function packCell(cell: Cell): string {
  const entries = [...cell].filter(([, figure]) => figure !== 0).toSorted(([a], [b]) => a - b);
  const bytes = Buffer.allocUnsafe(entries.length * 16);
  let end = 0;
  let before = -1;
  for (const [at, figure] of entries) {
    end = writeNumber(bytes, end, at - before);
    end = writeNumber(bytes, end, figure < 0 ? -2 * figure - 1 : 2 * figure);
    before = at;
  }
  return bytes.toString("latin1", 0, end);
}

function writeNumber(bytes: Buffer, at: number, number: number): number {
  let end = at;
  let rest = number;
  for (; rest >= base; rest = Math.floor(rest / base)) {
    bytes[end] = firstMore + (rest % base);
    end += 1;
  }
  bytes[end] = firstLast + rest;
  return end + 1;
}

/** Calls `take` with the slot and figure of everything in a packed cell, which is `text` from `start` to `end`. */
export function readPacked(
  text: string,
  start: number,
  end: number,
  take: (at: number, figure: number) => void,
): void {
  let at = -1;
  for (let place = start; place < end;) {
    // Nearly every number has one digit, and this loop is most of what a query costs.
    let number = text.charCodeAt(place) - firstLast;
    place += 1;
    if (number >= base) {
      const long = readNumber(text, place - 1);
      number = long.number;
      place = long.end;
    }
    at += number;
    number = text.charCodeAt(place) - firstLast;
    place += 1;
    if (number >= base) {
      const long = readNumber(text, place - 1);
      number = long.number;
      place = long.end;
    }
    take(at, number % 2 === 0 ? number / 2 : -(number + 1) / 2);
  }
}

/** The cell that `packCell` made the text of. */
export function unpackCell(text: string): Cell {
  const cell: Cell = new Map();
  readPacked(text, 0, text.length, (at, figure) => cell.set(at, figure));
  return cell;
}

function readNumber(text: string, at: number): { readonly number: number; readonly end: number } {
  let number = 0;
  let scale = 1;
  for (let place = at; ; place += 1, scale *= base) {
    const digit = text.charCodeAt(place) - firstLast;
    if (digit < base) return { number: number + digit * scale, end: place + 1 };
    number += (digit - base) * scale;
  }
}

/** A packed cell of one quarter of an hour of a UTC day. */
export interface Quarter {
  /** From 0 to 95. */
  readonly number: number;
  readonly start: number;
  readonly end: number;
}

/** The packed quarters of a day one after the other: number, length, cell. */
export function packQuarters(quarters: ReadonlyMap<number, string>): string {
  const head = Buffer.alloc(16);
  return [...quarters]
    .toSorted(([a], [b]) => a - b)
    .filter(([, cell]) => cell !== "")
    .map(([number, cell]) => {
      const end = writeNumber(head, writeNumber(head, 0, number), cell.length);
      return head.toString("latin1", 0, end) + cell;
    })
    .join("");
}

/** Where the quarters of a day are in their text. */
export function quartersIn(text: string): readonly Quarter[] {
  const quarters: Quarter[] = [];
  for (let place = 0; place < text.length;) {
    const { number, end: next } = readNumber(text, place);
    const { number: length, end: start } = readNumber(text, next);
    quarters.push({ number, start, end: start + length });
    place = start + length;
  }
  return quarters;
}
