import { datasetCatalogue } from "../../src/model/dataset-catalogue.ts";
import type { Column, DatasetName } from "../../src/model/dataset.ts";
import type { DatasetPage, DatasetSource, DayRange } from "../../src/sdk/dataset-source.ts";
import { createCsvBatch, createRowBatch } from "../../src/sdk/row-batch.ts";
import type { Row, RowChange } from "../../src/sdk/row-batch.ts";

/** A desk's history in memory: each entry puts a row in the place of the one with its key, or takes it away. */
export interface ArraySource extends DatasetSource {
  readonly put: (dataset: DatasetName, ...rows: readonly Row[]) => void;
  readonly remove: (dataset: DatasetName, ...rows: readonly Row[]) => void;
  /** The rows as they are now. */
  readonly now: (dataset: DatasetName) => readonly Row[];
  /** What reads asked for, in order. */
  readonly reads: readonly { readonly dataset: DatasetName; readonly after: string | undefined }[];
}

interface ArrayOptions {
  readonly perPage?: number;
  readonly perBatch?: number;
  /** Gives rows as CSV rather than as records. */
  readonly csv?: boolean;
}

interface Entry {
  readonly key: string;
  readonly row: Row;
  readonly gone: boolean;
}

/**
 * A source whose watermark is how many entries were read. A read gives each row that changed since as it is when its page is made, like a desk does, so
 * a row that changes twice may come twice.
 */
export function createArraySource(options: ArrayOptions = {}): ArraySource {
  const { perPage = 3, perBatch = 2, csv = false } = options;
  const histories = new Map<DatasetName, Entry[]>();
  const historyOf = (dataset: DatasetName): Entry[] => {
    const known = histories.get(dataset) ?? [];
    histories.set(dataset, known);
    return known;
  };
  const entryOf = (dataset: DatasetName, row: Row, gone: boolean): Entry => {
    const { key } = datasetCatalogue[dataset];
    return { key: JSON.stringify(key.map((name) => row[name])), row, gone };
  };
  const latest = (dataset: DatasetName): ReadonlyMap<string, Entry> =>
    new Map(historyOf(dataset).map((entry) => [entry.key, entry]));
  const reads: { readonly dataset: DatasetName; readonly after: string | undefined }[] = [];
  const read: DatasetSource["read"] = async function* ({ dataset, columns, after, signal }) {
    reads.push({ dataset, after });
    const end = historyOf(dataset).length;
    let at = Number(after ?? 0);
    do {
      const to = Math.min(at + perPage, end);
      const keys = new Set(
        historyOf(dataset)
          .slice(at, to)
          .map(({ key }) => key),
      );
      const now = latest(dataset);
      const entries = [...keys].map((key) => now.get(key)).filter((entry) => entry !== undefined);
      signal.throwIfAborted();
      const page: DatasetPage = {
        changes: changesOf(dataset, columns, entries, { perBatch, csv }),
        watermark: String(to),
        asOf: "2026-11-27T00:00:00Z",
        fraction: end === 0 ? 1 : to / end,
      };
      yield page;
      at = to;
    } while (at < end);
  };
  async function* readDays({
    dataset,
    columns,
    from,
    until,
  }: { readonly dataset: DatasetName; readonly columns: readonly string[] } & DayRange) {
    const { day } = datasetCatalogue[dataset];
    const entries = [...latest(dataset).values()].filter(({ row, gone }) => {
      const on = String(row[day]).slice(0, 10);
      return !gone && on >= from && on < until;
    });
    yield { changes: changesOf(dataset, columns, entries, { perBatch, csv }), watermark: "" };
  }
  return {
    datasets: ["tickets", "messages", "contacts", "metrics_daily"],
    put: (dataset, ...rows) =>
      void historyOf(dataset).push(...rows.map((row) => entryOf(dataset, row, false))),
    remove: (dataset, ...rows) =>
      void historyOf(dataset).push(...rows.map((row) => entryOf(dataset, row, true))),
    now: (dataset) => [...latest(dataset).values()].filter(({ gone }) => !gone).map(({ row }) => row),
    reads,
    read,
    readDays,
  };
}

async function* changesOf(
  dataset: DatasetName,
  wanted: readonly string[],
  entries: readonly Entry[],
  { perBatch, csv }: { readonly perBatch: number; readonly csv: boolean },
): AsyncGenerator<RowChange> {
  const { columns, key } = datasetCatalogue[dataset];
  const whole = columns.filter(({ name }) => wanted.includes(name));
  const keyColumns = columns.filter(({ name }) => key.includes(name));
  for (let start = 0; start < entries.length;) {
    const gone = entries[start]?.gone === true;
    const rows: Row[] = [];
    while (rows.length < perBatch && start < entries.length && entries[start]?.gone === gone) {
      rows.push(cut(gone ? keyColumns : whole, entries[start]?.row ?? {}));
      start += 1;
    }
    const batch = createRowBatch(gone ? keyColumns : whole, rows);
    const given = csv ? createCsvBatch(batch.columns, batch.csv(), batch.count) : batch;
    yield { kind: gone ? "delete" : "upsert", batch: given };
  }
}

function cut(columns: readonly Column[], row: Row): Row {
  return Object.fromEntries(columns.map(({ name }) => [name, row[name] ?? null]));
}
