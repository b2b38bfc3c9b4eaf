import type { Column, DatasetName } from "../model/dataset.ts";
import type { DayRange, Watermark } from "./dataset-source.ts";
import type { RowBatch, RowChange } from "./row-batch.ts";

/** A table as an export fills it. */
export interface SinkTable {
  /** Its name in the warehouse: letters, digits and `_`. */
  readonly name: string;
  readonly dataset: DatasetName;
  readonly columns: readonly Column[];
  readonly key: readonly string[];
  /** The column whose UTC day is a row's partition; never changes for a row. */
  readonly day: string;
}

/** What to do where the warehouse's table does not have the columns that are exported: change it, leave those columns out, or stop. */
export type SchemaPolicy = "evolve" | "freeze" | "fail";

export interface SinkRequest {
  readonly table: SinkTable;
  /** Name of the export. A table belongs to one export; another one's is refused with `sink_table_foreign`. */
  readonly export: string;
  /** Number of the run; later runs have greater ones. Goes into the column `_deskbridge_run` where the sink keeps rows. */
  readonly run: number;
  readonly onSchemaChange: SchemaPolicy;
  readonly signal: AbortSignal;
}

/** What the warehouse has of a table. */
export interface SinkPosition {
  /** Number of the run that last committed. */
  readonly run: number;
  /** As it was given with that commit: the engine's own wrapping of the source's, at most 2,100 characters. */
  readonly watermark: Watermark;
}

export interface CommitRequest {
  readonly watermark: Watermark;
  /** Take away every row that was last written by a run before this one: the end of a run that exported everything. */
  readonly dropOlderThan?: number;
  /** Take away every row of these days that was last written by a run before this one: a repair. */
  readonly dropOlderThanIn?: DayRange;
  /**
   * Whether this commit, or a later one of the same load, asks for what was not written to be taken away. Only where it is false may a row that was written
   * without a change stay as it is, with the number of an earlier run; a sink that is not told takes it for true.
   */
  readonly mayDrop?: boolean;
}

/** What a commit did. */
export interface CommitReceipt {
  /** Rows that were not there before, where the sink can tell them from updates; else all written rows are `updated`. */
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
  /** Bytes that were stored or sent. */
  readonly bytes: number;
}

/** A table that a run writes to. One at a time for a table; the engine sees to that over all processes. */
export interface SinkWriter {
  /**
   * Where the table stands; undefined when it is new, or when it has columns now that its rows lack, so that all has to come again. Sinks that keep nothing
   * (an HTTP endpoint) leave the member out, and the engine goes by its own record.
   */
  readonly position?: SinkPosition | undefined;
  /** Whether `position` means anything. */
  readonly keepsPosition: boolean;
  /** Columns of the table that are not written (`onSchemaChange: freeze`), with the reason, for the run's record. */
  readonly leftOut: readonly { readonly column: string; readonly reason: string }[];
  /** Stages changes; resolves when it is ready for more. Nothing of them is to be seen in the warehouse. Later changes of a row win. */
  readonly write: (change: RowChange) => Promise<void>;
  /**
   * Publishes all that was written since the last commit, together with the watermark, at once: after a crash either all of it is there or none. Refuses with
   * `lease_lost` where it finds that a later run has committed meanwhile: this one has been overtaken.
   */
  readonly commit: (request: CommitRequest) => Promise<CommitReceipt>;
  /** Forgets what was written since the last commit. It can be written to again. */
  readonly abort: () => Promise<void>;
  /** Aborts what is not committed and lets go of everything. Never throws. */
  readonly close: () => Promise<void>;
}

/**
 * A warehouse. Errors are `AppError`s: `target_unavailable`, `target_timeout`, `target_unauthorized`, `target_rate_limited`, `target_rejected` as with other
 * targets; `sink_table_foreign` for a table that is not ours; `sink_schema_changed` where the table's columns do not fit; `sink_full` for a disk that is full.
 */
export interface Sink {
  /** Makes the table where it is missing, or leaves that to the first commit; finishes or undoes what a crash left half done, and opens it for one run. */
  readonly open: (request: SinkRequest) => Promise<SinkWriter>;
  /**
   * Where tables stand, asked for several at once: the position that `open` would give for each, where it would leave the table as it is and write every
   * column. Undefined for all others, whatever the matter is: `open` tells. Changes nothing. Absent where it would be no quicker than to open them.
   */
  readonly standings?: (requests: readonly SinkRequest[]) => Promise<readonly (SinkPosition | undefined)[]>;
  /** What the table holds of some days, or all of it, without the columns that are the sink's own, for `export verify`. Absent where it cannot be read. */
  readonly read?: (
    request: Pick<SinkRequest, "table" | "export" | "signal"> & { readonly days?: DayRange },
  ) => AsyncIterable<RowBatch>;
}

/** The column in which sinks note the number of the run that last wrote a row, an integer. */
export const runColumn = "_deskbridge_run";
