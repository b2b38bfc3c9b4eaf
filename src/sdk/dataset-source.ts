import type { DatasetName } from "../model/dataset.ts";
import type { RowChange } from "./row-batch.ts";

/** Where a read of a dataset stopped: the source's own text, at most 2,000 characters, that it can go on from in any later process. */
export type Watermark = string;

export interface DatasetRequest {
  readonly dataset: DatasetName;
  /** Names of the dataset's columns that are wanted, in the dataset's order; those of the key and the day are always among them. */
  readonly columns: readonly string[];
  /** Undefined to read everything from the beginning. */
  readonly after: Watermark | undefined;
  /** Changes younger than this are left for the next read, where the source has to allow for what becomes visible late; its own choice when absent. */
  readonly lagMs?: number | undefined;
  readonly signal: AbortSignal;
}

/** Days of a dataset's `day` column, UTC, both `YYYY-MM-DD`; `from` inclusive, `until` exclusive. */
export interface DayRange {
  readonly from: string;
  readonly until: string;
}

/**
 * A page of what changed. `changes` is read once, in order, as it arrives; of two changes of one row the later counts. Only when it has come to its end
 * without a fault is the page whole, and `watermark` what to go on from once a sink has it.
 */
export interface DatasetPage {
  readonly changes: AsyncIterable<RowChange>;
  readonly watermark: Watermark;
  /** RFC 3339 UTC: what happened on the source before this is in the warehouse once this page is. For people; may be rough. */
  readonly asOf?: string;
  /** Between 0 and 1: how far the read has come, where the source can tell. */
  readonly fraction?: number;
  /** Between 0 and 1, of a page without rows: how much is done of what the source has to work out before it can give any. The next page takes it further. */
  readonly preparing?: number;
}

/**
 * What a desk gives a warehouse. Reading from a watermark gives every row that changed since, and every row that is gone, at least once, however late it
 * changed; reading the same stretch again gives the rows as they are then, so it does no harm. Errors are classified like a target's.
 */
export interface DatasetSource {
  readonly datasets: readonly DatasetName[];
  /** Those of them whose old rows the source drops without their being untrue: what a full run does not find again stays in the warehouse. */
  readonly forgets?: readonly DatasetName[];
  /** Pages from a watermark up to what there is when the read begins. Gives at least one page, so that the watermark moves while nothing happens. */
  readonly read: (request: DatasetRequest) => AsyncIterable<DatasetPage>;
  /**
   * Looks whether anything at all happened behind a watermark, for less than a read costs: `asOf` as of a page when nothing did, undefined when something did
   * or it cannot tell. Absent where a look costs as much as a read.
   */
  readonly unchanged?: (
    request: Pick<DatasetRequest, "dataset" | "signal"> & { readonly after: Watermark },
  ) => Promise<{ readonly asOf?: string } | undefined>;
  /** Every row of some days as it is now; for repairs and comparisons. The watermarks of its pages mean nothing. Absent where it cannot. */
  readonly readDays?: (
    request: Omit<DatasetRequest, "after" | "lagMs"> & DayRange,
  ) => AsyncIterable<DatasetPage>;
}
