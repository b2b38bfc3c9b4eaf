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

/** A cell as bytes: for each figure that is not zero, in order, the distance from the slot before and the figure, as variable-length numbers. */
export function encodeCell(cell: Cell): Buffer {
  const entries = [...cell].filter(([, figure]) => figure !== 0).toSorted(([a], [b]) => a - b);
  const bytes = Buffer.allocUnsafe(entries.length * 14);
  let end = 0;
  let before = -1;
  for (const [at, figure] of entries) {
    end = writeNumber(bytes, end, at - before);
    end = writeNumber(bytes, end, figure < 0 ? -2 * figure - 1 : 2 * figure);
    before = at;
  }
  return Buffer.from(bytes.subarray(0, end));
}

function writeNumber(bytes: Buffer, at: number, number: number): number {
  let end = at;
  let rest = number;
  for (; rest >= 128; rest = Math.floor(rest / 128)) {
    bytes[end] = (rest % 128) + 128;
    end += 1;
  }
  bytes[end] = rest;
  return end + 1;
}

/** Adds the figures of an encoded cell, which is `bytes` from `start` to `end`, to those by slot. */
export function addEncoded(figures: Float64Array, bytes: Uint8Array, start: number, end: number): void {
  let place = start;
  let at = -1;
  while (place < end) {
    // Nearly every number fits into one byte, and this loop is most of what a query costs.
    let number = bytes[place++] ?? 0;
    if (number >= 128) {
      number -= 128;
      for (let scale = 128, more = 128; more >= 128; scale *= 128) {
        more = bytes[place++] ?? 0;
        number += (more % 128) * scale;
      }
    }
    at += number;
    number = bytes[place++] ?? 0;
    if (number >= 128) {
      number -= 128;
      for (let scale = 128, more = 128; more >= 128; scale *= 128) {
        more = bytes[place++] ?? 0;
        number += (more % 128) * scale;
      }
    }
    figures[at] = (figures[at] ?? 0) + (number % 2 === 0 ? number / 2 : -(number + 1) / 2);
  }
}

/** The cell that `encodeCell` made the bytes of. */
export function decodeCell(bytes: Uint8Array): Cell {
  const cell: Cell = new Map();
  let at = -1;
  for (let place = 0; place < bytes.length; ) {
    const [distance, next] = readNumber(bytes, place);
    const [figure, after] = readNumber(bytes, next);
    at += distance;
    cell.set(at, figure % 2 === 0 ? figure / 2 : -(figure + 1) / 2);
    place = after;
  }
  return cell;
}

function readNumber(bytes: Uint8Array, at: number): readonly [number: number, next: number] {
  let number = 0;
  let scale = 1;
  for (let place = at; ; place += 1, scale *= 128) {
    const byte = bytes[place] ?? 0;
    number += (byte % 128) * scale;
    if (byte < 128) return [number, place + 1];
  }
}

/** An encoded cell of one quarter of an hour of a UTC day. */
export interface Quarter {
  /** From 0 to 95. */
  readonly number: number;
  readonly start: number;
  readonly end: number;
}

/** The encoded quarters of a day one after the other: number, length in four bytes, cell. */
export function encodeQuarters(quarters: ReadonlyMap<number, Buffer>): Buffer {
  const parts: Buffer[] = [];
  for (const [number, bytes] of [...quarters].toSorted(([a], [b]) => a - b)) {
    if (bytes.length === 0) continue;
    const head = Buffer.alloc(5);
    head.writeUInt8(number, 0);
    head.writeUInt32LE(bytes.length, 1);
    parts.push(head, bytes);
  }
  return Buffer.concat(parts);
}

/** Where the quarters of a day are in its bytes. */
export function quartersIn(bytes: Buffer): readonly Quarter[] {
  const quarters: Quarter[] = [];
  for (let place = 0; place < bytes.length;) {
    const start = place + 5;
    const end = start + bytes.readUInt32LE(place + 1);
    quarters.push({ number: bytes.readUInt8(place), start, end });
    place = end;
  }
  return quarters;
}
