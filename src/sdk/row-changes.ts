import { datasetCatalogue } from "../model/dataset-catalogue.ts";
import type { Column } from "../model/dataset.ts";
import type { DatasetRequest } from "./dataset-source.ts";
import type { Row, RowChange } from "./row-batch.ts";
import { createRowBatch } from "./row-batch.ts";

/** What a source found that reads rows as objects. */
export interface FoundRows {
  /** Rows that are there, with all of the dataset's columns or fewer; what is missing is null. */
  readonly rows: readonly Row[];
  /** Keys of rows that are gone. */
  readonly gone?: readonly Row[];
}

/** The changes of a page that was read whole: at most a batch of rows with the columns that are wanted, then a batch of keys. */
export async function* rowChanges(
  { dataset, columns }: Pick<DatasetRequest, "dataset" | "columns">,
  { rows, gone = [] }: FoundRows,
): AsyncGenerator<RowChange, void> {
  const { columns: all, key } = datasetCatalogue[dataset];
  const wanted = all.filter(({ name }) => columns.includes(name));
  const keys = all.filter(({ name }) => key.includes(name));
  if (rows.length > 0) yield { kind: "upsert", batch: createRowBatch(wanted, only(wanted, rows)) };
  if (gone.length > 0) yield { kind: "delete", batch: createRowBatch(keys, only(keys, gone)) };
}

function only(columns: readonly Column[], rows: readonly Row[]): readonly Row[] {
  return rows.map((row) => Object.fromEntries(columns.map(({ name }) => [name, row[name] ?? null])));
}
