import type { Cell } from "./metric-cell.ts";
import { addPacked, firstBinSlot, slotCount } from "./metric-cell.ts";
import { binCount, secondsOf } from "./metric-histogram.ts";

const binsPerBlock = 64;
const blocksPerHistogram = binCount / binsPerBlock;

/** Adds cells up. One is used for all buckets of an answer, one after the other. */
export interface MetricSum {
  /** Adds the packed cell that is `bytes` from `start` to `end`. */
  readonly addPacked: (bytes: Uint8Array, start: number, end: number) => void;
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
  // How many are in the bins of a block: whole blocks are passed over, in reading and in clearing.
  const blocks = new Int32Array(bins.length / binsPerBlock);
  const figures = { plain, bins, blocks };
  const addFigure = (at: number, figure: number): void => {
    if (at < firstBinSlot) plain[at] = (plain[at] ?? 0) + figure;
    else {
      const bin = at - firstBinSlot;
      bins[bin] = (bins[bin] ?? 0) + figure;
      blocks[bin >>> 6] = (blocks[bin >>> 6] ?? 0) + figure;
    }
  };
  return {
    addPacked: (bytes, start, end) => addPacked(figures, bytes, start, end),
    add: (cell) => cell.forEach((figure, at) => addFigure(at, figure)),
    figure: (at) => plain[at] ?? 0,
    atRanks: (firstSlot, ranks) => {
      const first = firstSlot - firstBinSlot;
      return secondsAtRanks(bins.subarray(first, first + binCount), blocks.subarray(first >>> 6), ranks);
    },
    isEmpty: () => plain.every((figure) => figure === 0),
    clear: () => {
      plain.fill(0);
      blocks.forEach((count, block) => {
        if (count !== 0) bins.fill(0, block * binsPerBlock, (block + 1) * binsPerBlock);
      });
      blocks.fill(0);
    },
  };
}

function secondsAtRanks(bins: Int32Array, blocks: Int32Array, ranks: readonly number[]): readonly number[] {
  const found: number[] = [];
  let below = 0;
  for (let block = 0; block < blocksPerHistogram && found.length < ranks.length; block += 1) {
    const count = blocks[block] ?? 0;
    if (below + count < (ranks[found.length] ?? 0)) {
      below += count;
      continue;
    }
    const end = (block + 1) * binsPerBlock;
    for (let bin = block * binsPerBlock; bin < end; bin += 1) {
      below += bins[bin] ?? 0;
      while (found.length < ranks.length && below >= (ranks[found.length] ?? 0)) found.push(secondsOf(bin));
    }
  }
  return found;
}
