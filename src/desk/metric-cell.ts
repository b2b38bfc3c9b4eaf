import { binCount } from "./metric-histogram.ts";
import type { PackedText } from "./metric-text.ts";
import {
  addSigned,
  openPacked,
  packNumber,
  packSigned,
  packWide,
  takeNumber,
  takeSigned,
  takeWide,
  wideAt,
} from "./metric-text.ts";

/** Where in a cell a figure is kept. Sums are in seconds. */
export const slot = {
  created: 0,
  /** What has to be added to `created` less `solved` to have by how many the open tickets became more: of tickets that were solved and reopened. */
  drift: 1,
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
  replyBins: 13,
  replyBusinessBins: 13 + binCount,
  resolutionBins: 13 + 2 * binCount,
  resolutionBusinessBins: 13 + 3 * binCount,
} as const;

/** The first slot that is a bin. */
export const firstBinSlot = slot.replyBins;

/** How many figures a cell has. Nearly all of them are zero. */
export const slotCount = firstBinSlot + 4 * binCount;

/** Figures by slot; a slot that is not there is zero. */
export type Cell = Map<number, number>;

export function addTo(cell: Cell, at: number, amount: number): void {
  cell.set(at, (cell.get(at) ?? 0) + amount);
}

/**
 * A cell as text: which of the plain figures are there, as a number with a bit for each, and those figures; then the bins by what they count, most of them
 * one: the count, how many bins count it, and those bins.
 */
export function packCell(cell: Cell): string {
  let present = 0;
  let plain = "";
  for (let at = 0; at < firstBinSlot; at += 1) {
    const figure = cell.get(at) ?? 0;
    if (figure === 0) continue;
    present |= 1 << at;
    plain += packSigned(figure);
  }
  const counted = [...cell].filter(([at, count]) => at >= firstBinSlot && count !== 0);
  if (present === 0 && counted.length === 0) return "";
  const bins = [...Map.groupBy(counted, ([, count]) => count)]
    .toSorted(([a], [b]) => a - b)
    .map(([count, alike]) => {
      const wide = alike.map(([at]) => at - firstBinSlot).toSorted((a, b) => a - b);
      return packSigned(count) + packNumber(wide.length) + wide.map(packWide).join("");
    });
  return packWide(present) + plain + bins.join("");
}

/** By how many the open tickets became more. */
export function flowOf(figure: (slot: number) => number): number {
  return figure(slot.created) - figure(slot.solved) + figure(slot.drift);
}

/** The cell that `packCell` made the text of. */
export function unpackCell(packed: string): Cell {
  const cell: Cell = new Map();
  if (packed === "") return cell;
  const text = openPacked(packed);
  const present = takeWide(text);
  for (let at = 0; at < firstBinSlot; at += 1) {
    if ((present & (1 << at)) !== 0) cell.set(at, takeSigned(text));
  }
  while (text.place < packed.length) {
    const count = takeSigned(text);
    for (let left = takeNumber(text); left > 0; left -= 1) cell.set(firstBinSlot + takeWide(text), count);
  }
  return cell;
}

/** Where figures are added up: plain ones by slot, and those of the bins, with sums of blocks of bins. */
export interface Figures {
  readonly plain: Float64Array;
  readonly bins: Int32Array;
  readonly blocks: Int32Array;
}

/** How many bins have a sum of their own, as the power of two. */
export const blockBits = 5;

/** Adds the figures of the packed cell that begins where the text has been read to and ends at `end`, `sign` times. This is most of what a query costs. */
export function addPacked(
  { plain, bins, blocks }: Figures,
  text: PackedText,
  end: number,
  sign: 1 | -1,
): void {
  if (text.place === end) return;
  const { bytes } = text;
  addSigned(text, takeWide(text), plain, sign);
  while (text.place < end) {
    const count = sign * takeSigned(text);
    const endOfBins = 2 * takeNumber(text) + text.place;
    for (let { place } = text; place < endOfBins; place += 2) {
      const bin = wideAt(bytes, place);
      bins[bin] = (bins[bin] ?? 0) + count;
      blocks[bin >>> blockBits] = (blocks[bin >>> blockBits] ?? 0) + count;
    }
    text.place = endOfBins;
  }
}

/** The packed quarters of an hour one after the other: number, length, cell. */
export function packQuarters(quarters: ReadonlyMap<number, string>): string {
  return [...quarters]
    .toSorted(([a], [b]) => a - b)
    .filter(([, cell]) => cell !== "")
    .map(([number, cell]) => packNumber(number) + packNumber(cell.length) + cell)
    .join("");
}

/** The cells of packed quarters by their numbers. */
export function unpackQuarters(packed: string): Map<number, string> {
  const text = openPacked(packed);
  const quarters = new Map<number, string>();
  while (text.place < text.bytes.length) {
    const number = takeNumber(text);
    const length = takeNumber(text);
    quarters.set(number, packed.slice(text.place, text.place + length));
    text.place += length;
  }
  return quarters;
}
