import { deskDatasets } from "../../src/desk/dataset.ts";
import type { DeskDataset } from "../../src/desk/dataset.ts";
import { datasetCatalogue } from "../../src/model/dataset-catalogue.ts";
import { parseCsv } from "../../src/sdk/csv.ts";
import type { Row } from "../../src/sdk/row-batch.ts";
import type { DeskStand } from "./desk.ts";

/** Rows of a dataset by their keys, as a warehouse has them. */
export type Table = Map<string, Row>;

/** A copy of a dataset that is brought up to date page by page. */
export interface DatasetCopy {
  readonly dataset: DeskDataset;
  readonly table: Table;
  /** Keys of rows that pages brought, and of deletions that took something away, since it was last cleared. */
  readonly sent: Set<string>;
  /** Reads to the end of what there is; returns the number of pages. */
  readonly catchUp: (limit?: number) => Promise<number>;
  /** Reads one page; returns whether there is more. */
  readonly step: (limit: number) => Promise<boolean>;
}

export function createDatasetCopy(stand: Pick<DeskStand, "send">, dataset: DeskDataset): DatasetCopy {
  const table: Table = new Map();
  const sent = new Set<string>();
  let after: string | undefined;
  const step = async (limit: number): Promise<boolean> => {
    const page = await readPage(stand, dataset, after === undefined ? { limit } : { after, limit });
    for (const name of apply(table, dataset, page)) sent.add(name);
    after = page.next;
    return page.more;
  };
  return {
    dataset,
    table,
    sent,
    step,
    catchUp: async (limit = 50_000) => {
      let pages = 1;
      while (await step(limit)) pages += 1;
      return pages;
    },
  };
}

/** A copy of each dataset of the desk. */
export function createDatasetCopies(stand: Pick<DeskStand, "send">): readonly DatasetCopy[] {
  return deskDatasets.map((dataset) => createDatasetCopy(stand, dataset));
}

/** All rows as one read from the beginning has them. */
export async function readWhole(
  stand: Pick<DeskStand, "send">,
  dataset: DeskDataset,
  query: Readonly<Record<string, string | number>> = {},
): Promise<Table> {
  const table: Table = new Map();
  let page = await readPage(stand, dataset, query);
  apply(table, dataset, page);
  while (page.more) {
    page = await readPage(stand, dataset, { limit: query.limit ?? 50_000, after: page.next });
    apply(table, dataset, page);
  }
  return table;
}

/** A page as the desk answered it. */
export interface ReadPage {
  readonly part: string;
  readonly csv: string;
  readonly next: string;
  readonly more: boolean;
  /** As the header has it. */
  readonly preparing: string | undefined;
}

/** Reads one page; throws where the answer is none. */
export async function readPage(
  stand: Pick<DeskStand, "send">,
  dataset: DeskDataset,
  query: Readonly<Record<string, string | number>>,
): Promise<ReadPage> {
  const search = new URLSearchParams(
    Object.entries(query).map(([name, value]): [string, string] => [name, String(value)]),
  );
  const path = `/v1/datasets/${dataset}?${search.toString()}`;
  const { status, headers, text } = await stand.send({ method: "GET", path });
  if (status !== 200) throw new Error(`${path}: ${status} ${text}`);
  return {
    part: headers["deskbridge-part"] ?? "",
    csv: text,
    next: headers["deskbridge-next-cursor"] ?? "",
    more: headers["deskbridge-has-more"] === "true",
    preparing: headers["deskbridge-preparing"],
  };
}

/** Puts a page into a table. Returns the keys of its rows, and of its deletions those that took something away. */
function apply(
  table: Table,
  dataset: DeskDataset,
  { part, csv }: Pick<ReadPage, "part" | "csv">,
): readonly string[] {
  const names: string[] = [];
  const { columns, key } = datasetCatalogue[dataset];
  const isDelete = part === "delete";
  const those = isDelete ? columns.filter(({ name }) => key.includes(name)) : columns;
  for (const row of parseCsv(those, Buffer.from(csv))) {
    const name = JSON.stringify(key.map((column) => row[column]));
    if (!isDelete || table.has(name)) names.push(name);
    if (isDelete) table.delete(name);
    else table.set(name, row);
  }
  return names;
}
