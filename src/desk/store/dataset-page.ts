import type { DeskDataset } from "../dataset.ts";
import type { DatasetPlace } from "../dataset-place.ts";

export interface DatasetRequest {
  readonly dataset: DeskDataset;
  /** Undefined for everything, from the beginning. */
  readonly place: DatasetPlace | undefined;
  readonly columns: readonly string[];
  /** About how many rows a page has at most. */
  readonly limit: number;
}

/** A page of rows that are there, or of the keys of those that are gone. */
export interface PageFacts {
  readonly part: "upsert" | "delete";
  readonly next: DatasetPlace;
  /** Whether the read goes on. */
  readonly more: boolean;
  /** In milliseconds since the epoch. */
  readonly asOf: number | undefined;
  readonly fraction: number | undefined;
  /** Between 0 and 1, of a page without rows: how much of what the desk has to work out is done. Undefined once it can give rows. */
  readonly preparing?: number;
}

/** A page whose rows have not been read yet. */
export interface PlannedPage extends PageFacts {
  /** The `select` of the rows; undefined when there are none. */
  readonly select: string | undefined;
}
