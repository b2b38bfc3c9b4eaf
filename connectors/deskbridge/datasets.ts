import { AppError, createCsvBatch, cutCsv, datasetCatalogue } from "deskbridge/sdk";
import type {
  Column,
  Dataset,
  DatasetName,
  DatasetPage,
  DatasetSource,
  HttpClient,
  HttpStream,
  RowChange,
} from "deskbridge/sdk";
import { z } from "zod";

const datasets: readonly DatasetName[] = [
  "tickets",
  "messages",
  "contacts",
  "orders",
  "ticket_orders",
  "ticket_events",
  "ticket_metrics",
  "metrics_daily",
];

const pageHeaders = z.object({
  "deskbridge-part": z.enum(["upsert", "delete"]),
  "deskbridge-next-cursor": z.string().min(1).max(2000),
  "deskbridge-has-more": z.enum(["true", "false"]),
  "deskbridge-as-of": z.iso.datetime().optional(),
  "deskbridge-fraction": z.coerce.number<string>().min(0).max(1).optional(),
  "deskbridge-preparing": z.coerce.number<string>().min(0).max(1).optional(),
});

type Query = Readonly<Record<string, string | undefined>>;

interface Read {
  readonly http: HttpClient;
  readonly dataset: Dataset;
  readonly columns: readonly Column[];
  readonly signal: AbortSignal;
}

/**
 * The datasets of the Support API. Its cursors are places in its change feed, in which nothing appears behind a place that was read: there is no lag to
 * allow for.
 */
export function createDatasetSource(http: HttpClient): DatasetSource {
  const readOf = (dataset: DatasetName, names: readonly string[], signal: AbortSignal): Read => {
    const found = datasetCatalogue[dataset];
    return { http, dataset: found, columns: columnsOf(found, names), signal };
  };
  return {
    datasets,
    read: ({ dataset, columns, after, signal }) =>
      readPages(readOf(dataset, columns, signal), after === undefined ? {} : { after }),
    readDays: ({ dataset, columns, from, until, signal }) =>
      readPages(readOf(dataset, columns, signal), { from, until }),
  };
}

function columnsOf({ columns }: Dataset, names: readonly string[]): readonly Column[] {
  return columns.filter(({ name }) => names.includes(name));
}

async function* readPages(read: Read, first: Query): AsyncGenerator<DatasetPage> {
  let query = first;
  for (;;) {
    read.signal.throwIfAborted();
    const { page, more } = await openPage(read, query);
    yield page;
    if (!more) return;
    query = { after: page.watermark };
  }
}

async function openPage(
  { http, dataset, columns, signal }: Read,
  query: Query,
): Promise<{ readonly page: DatasetPage; readonly more: boolean }> {
  const names = columns.map(({ name }) => name).join(",");
  const answer = await http.stream({
    method: "GET",
    path: `/v1/datasets/${dataset.name}`,
    query: { ...query, columns: names },
    signal,
  });
  const head = pageHeaders.safeParse(answer.headers);
  if (!head.success || !isCsv(answer)) {
    await close(answer);
    throw new AppError("target_protocol", "the answer is no page of a dataset; check the connection's url");
  }
  const { data } = head;
  const kind = data["deskbridge-part"];
  const {
    "deskbridge-as-of": asOf,
    "deskbridge-fraction": fraction,
    "deskbridge-preparing": preparing,
  } = data;
  const keys = dataset.columns.filter(({ name }) => dataset.key.includes(name));
  return {
    more: data["deskbridge-has-more"] === "true",
    page: {
      changes: changesOf(answer, kind, kind === "delete" ? keys : columns),
      watermark: data["deskbridge-next-cursor"],
      ...(asOf === undefined ? {} : { asOf }),
      ...(fraction === undefined ? {} : { fraction }),
      ...(preparing === undefined ? {} : { preparing }),
    },
  };
}

async function* changesOf(
  { body }: HttpStream,
  kind: RowChange["kind"],
  columns: readonly Column[],
): AsyncGenerator<RowChange> {
  for await (const { csv, count } of cutCsv(body)) {
    yield { kind, batch: createCsvBatch(columns, csv, count) };
  }
}

function isCsv({ headers }: HttpStream): boolean {
  return headers["content-type"]?.startsWith("text/csv") === true;
}

async function close({ body }: HttpStream): Promise<void> {
  await body[Symbol.asyncIterator]().return?.();
}
