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

/** The bytes of packed text, to read it by. */
export function bytesOf(packed: string): Uint8Array {
  return Buffer.from(packed, "latin1");
}

/** Where figures are added up: plain ones by slot, and those of the bins, with sums of 64 bins each. */
export interface Figures {
  readonly plain: Float64Array;
  readonly bins: Int32Array;
  readonly blocks: Int32Array;
}

/** The first slot that is a bin. */
export const firstBinSlot = slot.replyBins;

/** Adds the figures of a packed cell, which is `bytes` from `start` to `end`. */
export function addPacked(
  { plain, bins, blocks }: Figures,
  bytes: Uint8Array,
  start: number,
  end: number,
): void {
  let at = -1;
  // Nearly every number has one or two digits, and this loop is most of what a query costs: hence no function for them.
  for (let place = start; place < end;) {
    let number = (bytes[place] ?? 0) - firstLast;
    place += 1;
    if (number >= base) {
      const second = (bytes[place] ?? 0) - firstLast;
      if (second < base) number += (second - 1) * base;
      else number = readNumber(bytes, place - 1);
      place = second < base ? place + 1 : endOfNumber(bytes, place);
    }
    at += number;
    number = (bytes[place] ?? 0) - firstLast;
    place += 1;
    if (number >= base) {
      number = readNumber(bytes, place - 1);
      place = endOfNumber(bytes, place);
    }
    if (at < firstBinSlot) {
      plain[at] = (plain[at] ?? 0) + signed(number);
      continue;
    }
    const figure = signed(number);
    const bin = at - firstBinSlot;
    bins[bin] = (bins[bin] ?? 0) + figure;
    blocks[bin >>> 6] = (blocks[bin >>> 6] ?? 0) + figure;
  }
}

function signed(number: number): number {
  return number % 2 === 0 ? number / 2 : -(number + 1) / 2;
}

/** The number whose digits begin here. */
function readNumber(bytes: Uint8Array, at: number): number {
  let number = 0;
  let scale = 1;
  for (let place = at; ; place += 1, scale *= base) {
    const digit = (bytes[place] ?? firstLast) - firstLast;
    if (digit < base) return number + digit * scale;
    number += (digit - base) * scale;
  }
}

/** The place after the last digit of the number that this place is in. */
function endOfNumber(bytes: Uint8Array, at: number): number {
  let place = at;
  while ((bytes[place] ?? 0) >= firstMore) place += 1;
  return place + 1;
}

/** The cell that `packCell` made the text of. */
export function unpackCell(packed: string): Cell {
  const bytes = bytesOf(packed);
  const cell: Cell = new Map();
  let at = -1;
  for (let place = 0; place < bytes.length;) {
    const next = endOfNumber(bytes, place);
    at += readNumber(bytes, place);
    cell.set(at, signed(readNumber(bytes, next)));
    place = endOfNumber(bytes, next);
  }
  return cell;
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

/** Calls `take` with the quarters of a day, in their order: the number, from 0 to 95, and where the cell begins and ends. */
export function forEachQuarter(
  bytes: Uint8Array,
  take: (number: number, start: number, end: number) => void,
): void {
  for (let place = 0; place < bytes.length;) {
    const next = endOfNumber(bytes, place);
    const start = endOfNumber(bytes, next);
    const end = start + readNumber(bytes, next);
    take(readNumber(bytes, place), start, end);
    place = end;
  }
}
