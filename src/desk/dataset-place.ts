import { z } from "zod";
import type { DatasetName } from "../model/dataset.ts";
import { AppError } from "../errors.ts";
import type { FeedPosition } from "./change.ts";
import { formatSequence, readSequence } from "./change.ts";

/** Where a read of everything stands: the rows with ids up to `key` are out. What happens behind `until` is for the next read. */
export interface AllPlace {
  readonly kind: "all";
  readonly until: FeedPosition;
  /** When the read began, in milliseconds since the epoch. */
  readonly asOf: number;
  readonly key: number;
  /** The last id that there was when the read began. */
  readonly edge: number;
}

/** A stretch of the feed that is being read: what is open of a read of what changed. */
export interface Window {
  /** The newest change when the read began. */
  readonly until: FeedPosition;
  readonly asOf: number;
  /** The number of the change behind which the read began. */
  readonly origin: number;
  /** The end of the stretch. */
  readonly end: FeedPosition;
  readonly phase: number;
  readonly key: number;
}

/** Where a read of what changed stands: in the stretch behind `after`, in one of its phases, behind `key`. */
export interface ChangesPlace {
  readonly kind: "changes";
  readonly after: FeedPosition;
  /** Undefined between two reads. */
  readonly window?: Window | undefined;
}

/** Where a read of some days stands. Days are `YYYY-MM-DD`, `until` is not one of them. */
export interface DaysPlace {
  readonly kind: "days";
  readonly from: string;
  readonly until: string;
  /** The last id on the page before; empty on the first. */
  readonly key: string;
}

/** A state of the figures by day: the number of the fold that was the last, and the UTC day that it was, counted from the epoch. */
export interface FiguresState {
  readonly batch: number;
  readonly day: number;
}

/** Where a read of figures stands: between two states of them, behind a group. */
export interface FiguresPlace {
  readonly kind: "figures";
  /** Undefined for everything. */
  readonly since: FiguresState | undefined;
  /** Undefined between two reads. */
  readonly read?:
    | {
        readonly until: FiguresState;
        readonly asOf: number;
        readonly phase: number;
        readonly code: number;
        readonly key: string;
      }
    | undefined;
}

export type DatasetPlace = AllPlace | ChangesPlace | DaysPlace | FiguresPlace;

const number = z.int().min(0);
const day = z.iso.date();
const position = z.string().transform((text, context) => {
  const found = readSequence(text);
  if (found === undefined) context.addIssue({ code: "custom", message: "is no position" });
  return found ?? { tx: 0, id: 0 };
});
const state = z.tuple([number, number]).transform(([batch, on]): FiguresState => ({ batch, day: on }));

// What a cursor holds behind the name of its dataset; the first part says which kind it is.
const allParts = z
  .tuple([z.literal("a"), position, number, number, number])
  .transform(([, until, asOf, key, edge]): DatasetPlace => ({ kind: "all", until, asOf, key, edge }));
const restingParts = z
  .tuple([z.literal("c"), position])
  .transform(([, after]): DatasetPlace => ({ kind: "changes", after }));
const windowParts = z
  .tuple([z.literal("c"), position, position, number, number, position, number, number])
  .transform(([, after, until, asOf, origin, end, phase, key]): DatasetPlace => ({
    kind: "changes",
    after,
    window: { until, asOf, origin, end, phase, key },
  }));
const daysParts = z
  .tuple([z.literal("d"), day, day, z.string().max(500)])
  .transform(([, from, until, key]): DatasetPlace => ({ kind: "days", from, until, key }));
const figuresParts = z
  .tuple([z.literal("f"), state.nullable()])
  .transform(([, since]): DatasetPlace => ({ kind: "figures", since: since ?? undefined }));
const figuresReadParts = z
  .tuple([z.literal("f"), state.nullable(), state, number, number, z.int().min(-1), z.string().max(500)])
  .transform(([, since, until, asOf, phase, code, key]): DatasetPlace => ({
    kind: "figures",
    since: since ?? undefined,
    read: { until, asOf, phase, code, key },
  }));

const parts = z.union([allParts, restingParts, windowParts, daysParts, figuresParts, figuresReadParts]);

/** The cursor of a place in a dataset. */
export function formatPlace(dataset: DatasetName, place: DatasetPlace): string {
  return Buffer.from(JSON.stringify([dataset, ...partsOf(place)])).toString("base64url");
}

function partsOf(place: DatasetPlace): readonly unknown[] {
  switch (place.kind) {
    case "all":
      return ["a", formatSequence(place.until), place.asOf, place.key, place.edge];
    case "days":
      return ["d", place.from, place.until, place.key];
    case "changes": {
      const { after, window } = place;
      if (window === undefined) return ["c", formatSequence(after)];
      const { until, asOf, origin, end, phase, key } = window;
      return ["c", ...[after, until].map(formatSequence), asOf, origin, formatSequence(end), phase, key];
    }
    case "figures": {
      const { since, read } = place;
      const from = since === undefined ? null : [since.batch, since.day];
      if (read === undefined) return ["f", from];
      const { until, asOf, phase, code, key } = read;
      return ["f", from, [until.batch, until.day], asOf, phase, code, key];
    }
  }
}

/** The place in a cursor that we gave out for this dataset; throws `bad_request` for any other text. */
export function parsePlace(dataset: DatasetName, cursor: string): DatasetPlace {
  const [of, ...rest] = listIn(Buffer.from(cursor, "base64url").toString());
  const read = parts.safeParse(rest);
  if (of !== dataset || !read.success) {
    const fields = [{ path: "after", message: "is not a cursor of this dataset" }];
    throw new AppError("bad_request", "after is not a cursor of this dataset; use the header as it came", {
      details: { fields },
    });
  }
  return read.data;
}

function listIn(text: string): readonly unknown[] {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}
