/**
 * What a value of a column is. `string` any text; `integer` a whole number within ±2^53; `number` a double; `boolean`; `timestamp` an instant in UTC with
 * microseconds; `date` a day without a time zone; `json` any JSON value.
 */
export type ColumnType = "string" | "integer" | "number" | "boolean" | "timestamp" | "date" | "json";

/** What a column tells of people: who they are (`identity`), how they are reached (`contact`), what was written by or about them (`content`). */
export type PersonalClass = "identity" | "contact" | "content";

export const personalClasses = ["identity", "contact", "content"] as const satisfies readonly PersonalClass[];

/** One column of a dataset. */
export interface Column {
  readonly name: string;
  readonly type: ColumnType;
  /** Whether a row may have none: null. Columns of a key never are. */
  readonly nullable: boolean;
  /** Absent where it tells nothing of people. */
  readonly personal?: PersonalClass;
  readonly description: string;
}

/** A table of rows that a desk gives and a warehouse takes. */
export interface Dataset {
  readonly name: DatasetName;
  /** What one row is. */
  readonly description: string;
  readonly columns: readonly Column[];
  /** The columns that tell one row from every other. They never change. */
  readonly key: readonly string[];
  /** A `timestamp` or `date` column that never changes once the row is there: its UTC day is the row's partition. */
  readonly day: string;
}

export const datasetNames = [
  "tickets",
  "messages",
  "contacts",
  "orders",
  "ticket_orders",
  "ticket_events",
  "ticket_metrics",
  "metrics_daily",
  "deliveries",
] as const;

export type DatasetName = (typeof datasetNames)[number];

/** Those that are the worker's own record: any export may have them, whatever its `from` gives. */
export const workerDatasets: readonly DatasetName[] = ["deliveries"];
