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
import type { Closable } from "./read-ahead.ts";
import { createAhead } from "./read-ahead.ts";

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
  readonly now: () => number;
}

/** A page whose rows are on their way. */
interface OpenPage extends Closable {
  readonly page: DatasetPage;
  readonly more: boolean;
}

/**
 * The datasets of the Support API. Its cursors are places in its change feed, in which nothing appears behind a place that was read: there is no lag to
 * allow for.
 */
export function createDatasetSource(http: HttpClient, now: () => number): DatasetSource {
  const readOf = (dataset: DatasetName, names: readonly string[], signal: AbortSignal): Read => {
    const found = datasetCatalogue[dataset];
    return { http, dataset: found, columns: columnsOf(found, names), signal, now };
  };
  return {
    datasets,
    read: ({ dataset, columns, after, signal }) =>
      readPages(readOf(dataset, columns, signal), after === undefined ? {} : { after }),
    unchanged: ({ dataset, after, signal }) =>
      lookBehind(readOf(dataset, datasetCatalogue[dataset].key, signal), after),
    readDays: ({ dataset, columns, from, until, signal }) =>
      readPages(readOf(dataset, columns, signal), { from, until }),
  };
}

/** The cursor of a read that found nothing is the one that it began with. */
async function lookBehind(read: Read, after: string): Promise<{ readonly asOf?: string } | undefined> {
  const { head, answer } = await openAnswer(read, { after, limit: "1" });
  const isSame = head["deskbridge-next-cursor"] === after && head["deskbridge-has-more"] === "false";
  if (!isSame) {
    await close(answer);
    return undefined;
  }
  // Read to its end, so that its connection can be used again.
  for await (const { count } of cutCsv(answer.body)) if (count > 0) return undefined;
  return head["deskbridge-as-of"] === undefined ? {} : { asOf: head["deskbridge-as-of"] };
}

function columnsOf({ columns }: Dataset, names: readonly string[]): readonly Column[] {
  return columns.filter(({ name }) => names.includes(name));
}

/** Page after page, one at a time. The next one is asked for while rows of the present one arrive, so that the desk has it ready; no more of it is read than the sockets hold. */
async function* readPages(read: Read, first: Query): AsyncGenerator<DatasetPage> {
  const stop = new AbortController();
  const signal = AbortSignal.any([read.signal, stop.signal]);
  const open = (query: Query): Promise<OpenPage> => openPage({ ...read, signal }, query);
  try {
    let next = (): Promise<OpenPage> => open(first);
    for (;;) {
      read.signal.throwIfAborted();
      const { page, more } = await next();
      if (!more) {
        yield page;
        return;
      }
      const ahead = createAhead(() => open({ after: page.watermark }), read.now);
      yield { ...page, changes: leading(page.changes, ahead.start, () => stop.abort()) };
      next = ahead.take;
    }
  } finally {
    // Also what was opened ahead and is not wanted any more.
    stop.abort();
  }
}

/** The changes of a page that starts the next one when it begins to be read, and stops it when it fails. */
async function* leading(
  changes: AsyncIterable<RowChange>,
  start: () => void,
  stop: () => void,
): AsyncGenerator<RowChange> {
  start();
  try {
    yield* changes;
  } catch (error) {
    stop();
    throw error;
  }
}

type PageHead = z.output<typeof pageHeaders>;

async function openAnswer(
  { http, dataset, columns, signal }: Read,
  query: Query,
): Promise<{ readonly head: PageHead; readonly answer: HttpStream }> {
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
  return { head: head.data, answer };
}

async function openPage(read: Read, query: Query): Promise<OpenPage> {
  const { dataset, columns } = read;
  const { head, answer } = await openAnswer(read, query);
  const kind = head["deskbridge-part"];
  const {
    "deskbridge-as-of": asOf,
    "deskbridge-fraction": fraction,
    "deskbridge-preparing": preparing,
  } = head;
  const keys = dataset.columns.filter(({ name }) => dataset.key.includes(name));
  return {
    more: head["deskbridge-has-more"] === "true",
    close: () => close(answer),
    page: {
      changes: changesOf(answer, kind, kind === "delete" ? keys : columns),
      watermark: head["deskbridge-next-cursor"],
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
  await body[Symbol.asyncIterator]()
    .return?.()
    .catch(() => undefined);
}
