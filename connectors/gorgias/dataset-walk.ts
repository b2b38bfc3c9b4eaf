import { AppError, isoTime } from "deskbridge/sdk";
import type { DatasetPage, DatasetRequest } from "deskbridge/sdk";
import { z } from "zod";
import type { GorgiasApi } from "./api.ts";
import { instantOf } from "./object.ts";

/** A list that is walked down from its newest row. */
export interface WalkedList<T extends z.ZodType> {
  readonly path: string;
  readonly item: T;
  readonly what: string;
  readonly query: Readonly<Record<string, string>>;
  /** The time that the list is in the order of. */
  readonly timeOf: (row: z.output<T>) => string | null | undefined;
}

type WalkedPage<T extends z.ZodType> = Omit<DatasetPage, "changes"> & {
  readonly rows: readonly z.output<T>[];
};

const mark = z.strictObject({
  /** What changed before has been read. */
  since: z.iso.datetime().optional(),
  /** When the walk that is under way began, and where it goes on. */
  began: z.iso.datetime().optional(),
  cursor: z.string().min(1).optional(),
});
type Mark = z.output<typeof mark>;

/** What is younger than this when a walk begins is read by the next one too: lists show it late. */
const overlapMs = 5 * 60_000;

/**
 * Gorgias cannot be asked for what changed since: the list is read from the newest row down to where the last read began. What changes meanwhile moves to the
 * top, which the next read begins with. A list that does not come in its order is read whole.
 */
export async function* walkDown<T extends z.ZodType>(
  { api, now }: { readonly api: GorgiasApi; readonly now: () => number },
  { path, item, what, query, timeOf }: WalkedList<T>,
  { after, lagMs = overlapMs, signal }: DatasetRequest,
): AsyncGenerator<WalkedPage<T>> {
  const {
    since,
    began = isoTime(now()),
    cursor: from,
  } = after === undefined ? ({} as Mark) : readMark(after);
  const floor = since === undefined ? -Infinity : Date.parse(since);
  const next: Mark = { since: isoTime(Date.parse(began) - lagMs) };
  let cursor = from;
  let last = Infinity;
  for (;;) {
    signal.throwIfAborted();
    const page = await api.page({ path, item, what, query, signal }, cursor);
    const times = page.rows.map((row) => readTime(timeOf(row), what));
    const inOrder = times.every((time, index) => time <= (times[index - 1] ?? last));
    last = inOrder ? (times.at(-1) ?? last) : Number.NaN;
    const isDone = page.next === undefined || last < floor;
    const open: Mark = { ...(since === undefined ? {} : { since }), began, cursor: page.next };
    yield {
      rows: page.rows,
      watermark: JSON.stringify(isDone ? next : open),
      ...(isDone ? { asOf: began } : {}),
    };
    if (isDone) return;
    cursor = page.next;
  }
}

function readTime(text: string | null | undefined, what: string): number {
  const time = instantOf(text);
  if (time !== undefined) return Date.parse(time);
  throw new AppError("target_protocol", `Gorgias's list of ${what} has a row without a readable time`);
}

function readMark(watermark: string): Mark {
  try {
    return mark.parse(JSON.parse(watermark));
  } catch (cause) {
    const message = "the watermark is none of this connection; begin anew with a full run";
    throw new AppError("target_rejected", message, { cause });
  }
}
