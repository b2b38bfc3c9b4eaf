import { AppError } from "../errors.ts";
import type { EventInput } from "../model/event.ts";
import { advance, isoTime, readableUntil, recordKey, startState, toCursor, windowStart } from "./cursor.ts";
import type { CursorRecord, CursorSpan, CursorState } from "./cursor.ts";
import type { Page, ReadRequest, Source } from "./source.ts";

/** One record as the vendor lists it, with the events that its state stands for. Their ids must be the same on every read of that state. */
export interface SourceRecord extends CursorRecord {
  readonly events: readonly EventInput[];
}

/** What a connector is asked to list: records changed in [`from`, `to`), RFC 3339 UTC in whole seconds. */
export interface WindowRequest {
  readonly from: string;
  readonly to: string;
  /** What the previous page of the same window gave as `after`; undefined for the first. */
  readonly after: string | undefined;
  readonly signal: AbortSignal;
}

export interface WindowPage {
  /** In time order. Records after the window's end are left for the next read; those before its start do not belong here. */
  readonly records: readonly SourceRecord[];
  /** Present when the window has more. Lives as long as one read: it need not be valid tomorrow. */
  readonly after?: string;
}

/** What a connector author says about one list of a vendor's API. */
export interface WindowedSourceOptions extends CursorSpan {
  readonly description: string;
  /** How often it is polled unless the configuration says otherwise, such as `5m`. */
  readonly every: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly fetchPage: (request: WindowRequest) => Promise<WindowPage>;
  /** Where the first read ever begins; 1970 unless told. */
  readonly origin?: string;
  /** Widest window asked for at once; unlimited unless told. */
  readonly windowMs?: number;
  /** For a vendor that caps deep paging: after so many records the listing starts anew at the time it has reached. */
  readonly maxRecordsPerWindow?: number;
  /** True for a vendor that cannot list oldest change first: then the cursor's time moves only when a window is complete, so give `windowMs` too. */
  readonly unordered?: boolean;
}

/**
 * A source over a list that can be asked for by time of change. Every record that becomes visible within `overlapMs` + `lagMs` of its time is
 * delivered at least once, and in steady state exactly once: records that the overlap reads again are known from the seen-set.
 * Its pages carry only what is new; the last page of a read may carry nothing but the cursor.
 */
export function createWindowedSource(options: WindowedSourceOptions): Source {
  if (options.unordered === true && options.maxRecordsPerWindow !== undefined) {
    throw new AppError(
      "connector_invalid",
      "An unordered source cannot go on in the middle of a window: use windowMs.",
    );
  }
  return {
    description: options.description,
    every: options.every,
    read: (request) => readWindows(options, request),
  };
}

async function* readWindows(options: WindowedSourceOptions, request: ReadRequest): AsyncGenerator<Page> {
  const now = options.now();
  const origin = Date.parse(options.origin ?? "1970-01-01T00:00:00Z");
  const newest = readableUntil(now, options);
  const end = request.until === undefined ? newest : Math.min(newest, wholeSecondAfter(request.until));
  let state = startState(request.cursor, origin, now, options);
  // A cursor that was brought back from the future is stored as such even when there is nothing to read.
  const isRepaired = request.cursor !== undefined && state.time < Date.parse(request.cursor.time);
  if (isRepaired) yield { events: [], cursor: toCursor(state) };
  let from = windowStart(state, options);
  while (from < end) {
    const to = Math.min(end, from + (options.windowMs ?? Infinity));
    state = yield* readWindow(options, request.signal, state, { from, to });
    from = to;
  }
}

function wholeSecondAfter(time: string): number {
  return Math.ceil(Date.parse(time) / 1000) * 1000;
}

interface Span {
  readonly from: number;
  readonly to: number;
}

async function* readWindow(
  options: WindowedSourceOptions,
  signal: AbortSignal,
  start: CursorState,
  window: Span,
): AsyncGenerator<Page, CursorState> {
  let state = start;
  let query: Query = { from: window.from, after: undefined, listed: 0 };
  for (;;) {
    signal.throwIfAborted();
    const asked = { from: isoTime(query.from), to: isoTime(window.to), after: query.after, signal };
    const page = await options.fetchPage(asked);
    const { records, passedEnd } = inWindow(options, page.records, { from: query.from, to: window.to });
    const complete = page.after === undefined || passedEnd;
    const listedTo = lastTime(records) ?? query.from;
    const readTo = options.unordered === true ? start.time : listedTo;
    const fresh = records.filter((record) => !state.seen.has(recordKey(record)));
    const before = state;
    state = advance(state, options, complete ? window.to : readTo, fresh);
    if (fresh.length > 0 || (complete && state.time > before.time)) {
      yield { events: fresh.flatMap((record) => record.events), cursor: toCursor(state) };
    }
    if (complete) return state;
    query = nextQuery(options, query, page, listedTo);
  }
}

interface Query {
  readonly from: number;
  readonly after: string | undefined;
  readonly listed: number;
}

// Deep paging is left before the vendor's cap: the listing starts anew, inclusive, at the second that it has reached.
function nextQuery(options: WindowedSourceOptions, query: Query, page: WindowPage, listedTo: number): Query {
  if (page.after === query.after) {
    throw new AppError(
      "target_protocol",
      "The vendor's next page is the page itself; the listing would never end.",
    );
  }
  const listed = query.listed + page.records.length;
  if (options.maxRecordsPerWindow === undefined || listed < options.maxRecordsPerWindow) {
    return { from: query.from, after: page.after, listed };
  }
  const from = Math.floor(listedTo / 1000) * 1000;
  if (from > query.from) return { from, after: undefined, listed: 0 };
  throw new AppError(
    "target_protocol",
    `More than ${options.maxRecordsPerWindow} records carry the time ${isoTime(from)}; the vendor lists no further.`,
    { details: { time: isoTime(from), listed } },
  );
}

interface Listed {
  readonly records: readonly SourceRecord[];
  /** A record of the window's end or later was listed: in time order, nothing of the window follows. */
  readonly passedEnd: boolean;
}

function inWindow(options: WindowedSourceOptions, records: readonly SourceRecord[], window: Span): Listed {
  const times = records.map((record) => Date.parse(record.time));
  checkTimes(options, records, times);
  const inside = records.filter((_record, index) => {
    const at = times[index] ?? Number.NaN;
    return at >= window.from && at < window.to;
  });
  if (records.length > 0 && times.every((at) => at < window.from)) {
    throw new AppError(
      "target_protocol",
      `The vendor listed ${records.length} records from before ${isoTime(window.from)}, the start of what was asked for.`,
      { details: { from: isoTime(window.from), records: records.length } },
    );
  }
  return { records: inside, passedEnd: options.unordered !== true && times.some((at) => at >= window.to) };
}

// Out of order, a record behind the cursor would be lost without a trace: better to stop with a word.
function checkTimes(
  options: WindowedSourceOptions,
  records: readonly SourceRecord[],
  times: readonly number[],
): void {
  for (const [index, at] of times.entries()) {
    const id = records[index]?.id;
    if (Number.isNaN(at)) {
      throw new AppError("target_protocol", `Record ${id} carries no readable time of change.`, {
        details: { id },
      });
    }
    if (options.unordered !== true && at < (times[index - 1] ?? at)) {
      throw new AppError(
        "target_protocol",
        `Record ${id} is listed after a later one; oldest change first is needed.`,
        {
          details: { id },
        },
      );
    }
  }
}

function lastTime(records: readonly SourceRecord[]): number | undefined {
  const last = records.at(-1);
  return last === undefined ? undefined : Date.parse(last.time);
}
