import type { Cell } from "./metric-cell.ts";
import { addPacked, blockBits, firstBinSlot, slotCount } from "./metric-cell.ts";
import { binCount, secondsOf } from "./metric-histogram.ts";
import type { PackedText } from "./metric-text.ts";

const binsPerBlock = 2 ** blockBits;
const blocksPerHistogram = binCount / binsPerBlock;

/** Adds cells up. One is used for all buckets of an answer, one after the other. */
export interface MetricSum {
  /** Adds the packed cell that begins where the text has been read to and ends at `end`, or takes it away, and reads it. */
  readonly addPacked: (text: PackedText, end: number, sign: 1 | -1) => void;
  readonly add: (cell: Cell) => void;
  /** One of the figures that are not bins. */
  readonly figure: (slot: number) => number;
  /** The seconds at these ranks, in rising order, of the histogram with this first slot. */
  readonly atRanks: (firstSlot: number, ranks: readonly number[]) => readonly number[];
  readonly isEmpty: () => boolean;
  /** Back to zero. */
  readonly clear: () => void;
}

export function createMetricSum(): MetricSum {
  const plain = new Float64Array(firstBinSlot);
  const bins = new Int32Array(slotCount - firstBinSlot);
  // How many are in the bins of a block: whole blocks are passed over in reading.
  const blocks = new Int32Array(bins.length / binsPerBlock);
  const figures = { plain, bins, blocks };
  const addFigure = (at: number, figure: number): void => {
    if (at < firstBinSlot) plain[at] = (plain[at] ?? 0) + figure;
    else {
      const bin = at - firstBinSlot;
      bins[bin] = (bins[bin] ?? 0) + figure;
      blocks[bin >>> blockBits] = (blocks[bin >>> blockBits] ?? 0) + figure;
    }
  };
  return {
    addPacked: (text, end, sign) => addPacked(figures, text, end, sign),
    add: (cell) => cell.forEach((figure, at) => addFigure(at, figure)),
    figure: (at) => plain[at] ?? 0,
    atRanks: (firstSlot, ranks) => {
      const first = firstSlot - firstBinSlot;
      return secondsAtRanks(bins, blocks, first, ranks);
    },
    isEmpty: () => plain.every((figure) => figure === 0),
    clear: () => {
      for (const part of [plain, bins, blocks]) part.fill(0);
    },
  };
}

function secondsAtRanks(
  bins: Int32Array,
  blocks: Int32Array,
  firstBin: number,
  ranks: readonly number[],
): readonly number[] {
  const found: number[] = [];
  const firstBlock = firstBin >>> blockBits;
  let wanted = ranks[0] ?? Infinity;
  let below = 0;
  for (let block = 0; block < blocksPerHistogram && found.length < ranks.length; block += 1) {
    const count = blocks[firstBlock + block] ?? 0;
    if (below + count < wanted) {
      below += count;
      continue;
    }
    const end = (block + 1) * binsPerBlock;
    for (let bin = block * binsPerBlock; bin < end; bin += 1) {
      below += bins[firstBin + bin] ?? 0;
      while (below >= wanted) {
        found.push(secondsOf(bin));
        wanted = ranks[found.length] ?? Infinity;
      }
    }
  }
  return found;
}
