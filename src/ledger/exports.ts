import type { ColumnType, DatasetName } from "../model/dataset.ts";
import type { DayRange } from "../sdk/dataset-source.ts";
import type { SinkWriter } from "../sdk/sink.ts";

/** Why an export runs: its time has come, somebody asked, or its time came while nobody was there. */
export type ExportTrigger = "schedule" | "hand" | "catch-up";

export type ExportRunState = "running" | "done" | "failed" | "aborted";

/** What a run exports: what changed, everything, or some days again. */
export type ExportMode =
  | { readonly kind: "incremental" }
  | { readonly kind: "full" }
  | ({ readonly kind: "days" } & DayRange);

export interface BeginExport {
  readonly export: string;
  readonly trigger: ExportTrigger;
  readonly mode: ExportMode;
  /** `Config.version` of the configuration that it is made with. */
  readonly config: string;
  /**
   * The time of its timetable that it is for, in milliseconds since the epoch. It is not begun when a run that is for then, or for later, or began later, has
   * come to an end by itself.
   */
  readonly dueAt?: number;
}

/** A column as a table had it at its last commit. */
export interface StoredColumn {
  readonly name: string;
  readonly type: ColumnType;
}

/** Where a table of an export stands, by the ledger's record. */
export interface ExportTableState {
  readonly export: string;
  readonly table: string;
  readonly dataset: DatasetName;
  /** The connection that it is in. */
  readonly sink: string;
  /** The engine's own wrapping of the source's. */
  readonly watermark: string;
  readonly columns: readonly StoredColumn[];
  /** Grows by one whenever the columns change. */
  readonly schemaVersion: number;
  /** RFC 3339: what happened on the source before this is in the warehouse; null where the source does not tell. */
  readonly asOf: string | null;
  readonly run: number;
  readonly movedAt: string;
}

/** What a run has done to one table so far. */
export interface ExportTableRecord {
  readonly table: string;
  readonly dataset: DatasetName;
  readonly state: ExportRunState;
  readonly rowsRead: number;
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
  readonly bytes: number;
  readonly commits: number;
  readonly seconds: number;
  /** The source's own; null for the beginning. */
  readonly watermarkFrom: string | null;
  readonly watermarkTo: string | null;
  readonly asOf: string | null;
  readonly schemaVersion: number;
  readonly leftOut: SinkWriter["leftOut"];
  readonly code: string | null;
  readonly message: string | null;
}

/** The new place of a table, to go on record together with what the run did. */
export type TableMove = Pick<ExportTableState, "sink" | "watermark" | "columns">;

/** A table's record, and where it stands. */
export interface RecordedTable {
  readonly record: ExportTableRecord;
  readonly move: TableMove | undefined;
}

/** One run as it is on record. */
export interface ExportRunRecord {
  readonly run: number;
  readonly export: string;
  readonly trigger: ExportTrigger;
  readonly mode: ExportMode;
  readonly config: string;
  readonly startedAt: string;
  /** Null for one that runs, and for one whose process is gone. */
  readonly finishedAt: string | null;
  /** `aborted` for one whose process is gone, too. */
  readonly state: ExportRunState;
  readonly code: string | null;
  readonly message: string | null;
  readonly tables: readonly ExportTableRecord[];
}

/** How a run came to an end. */
export interface ExportEnd {
  readonly state: Exclude<ExportRunState, "running">;
  readonly code?: string;
  readonly message?: string;
}

/** The exclusive right to run an export, over all processes, with the record of the run. It is renewed by itself until it is given up. */
export interface ExportRight {
  /** Number of the run; greater than those of all runs before it. */
  readonly run: () => number;
  /** Aborted with `lease_lost` when the right is gone. */
  readonly signal: AbortSignal;
  /** To be called before anything is published. Renews the right for a minute and a half; throws `lease_lost` when it is another's. */
  readonly ensure: () => Promise<void>;
  /** Gives the run a number above one that the warehouse has already: the ledger is younger than it. */
  readonly renumber: (above: number) => Promise<void>;
  /** Writes down what was done to a table and, with `move`, where it stands now, at once. Throws `lease_lost` when the right is another's. */
  readonly record: (record: ExportTableRecord, move?: TableMove) => Promise<void>;
  /** The same for several tables in one statement. */
  readonly recordAll: (tables: readonly RecordedTable[]) => Promise<void>;
  /** Ends the run and gives the right up. What the database does not take is left to the next run to find. */
  readonly end: (end: ExportEnd) => Promise<void>;
}

/** How an export stands, for gauges and for catching up. */
export interface ExportStanding {
  readonly export: string;
  /** Milliseconds since the epoch: the begin of the last run that was done; undefined when none was. */
  readonly lastDoneAt: number | undefined;
  /** What the timetable has been served up to: by the last run that came to an end by itself, well or not, or that still runs. */
  readonly servedUntil: number | undefined;
  /** The same of runs that were done. */
  readonly doneUntil: number | undefined;
  /** Since when it has its present timetable; undefined for one that was never given one. */
  readonly scheduledSince: number | undefined;
}

/** The ledger of exports: who runs which, what runs did, and where tables stand. */
export interface ExportLedger {
  /**
   * Takes the right to run an export and begins a run. A right whose process is gone is taken over, and its run is put down as aborted. Throws
   * `export_busy` when another process has it. Undefined, with nothing begun, where `dueAt` says so.
   */
  readonly begin: (request: BeginExport) => Promise<ExportRight | undefined>;
  /** Where the tables of an export stand. */
  readonly tables: (name: string) => Promise<readonly ExportTableState[]>;
  /** The last runs, newest first, of one export or of all. */
  readonly runs: (filter: {
    readonly export?: string;
    readonly limit: number;
  }) => Promise<readonly ExportRunRecord[]>;
  /** Every export that has a run or a timetable. */
  readonly standings: () => Promise<readonly ExportStanding[]>;
  /** Notes that an export has this timetable; since when it has is kept while it stays the same. */
  readonly noteSchedule: (name: string, cron: string, timezone: string) => Promise<void>;
  /** Deletes runs that ended before then (milliseconds since the epoch), but for the last one and the last good one of each export. */
  readonly prune: (before: number) => Promise<number>;
}
