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

/** Where a read of what changed stands: in a stretch of the window between `after` and `until`, in one of its phases, behind `key`. */
export interface ChangesPlace {
  readonly kind: "changes";
  readonly after: FeedPosition;
  /** Undefined between two reads: the window has not been opened. */
  readonly window?:
    | {
        readonly until: FeedPosition;
        readonly asOf: number;
        /** The end of the stretch. */
        readonly end: FeedPosition;
        readonly phase: number;
        readonly key: number;
      }
    | undefined;
}

/** Where a read of some days stands. Days are `YYYY-MM-DD`, `until` is not one of them. */
export interface DaysPlace {
  readonly kind: "days";
  readonly from: string;
  readonly until: string;
  readonly key: string;
}

export type DatasetPlace = AllPlace | ChangesPlace | DaysPlace;

const number = z.int().min(0);
const position = z.string().transform((text, context) => {
  const found = readSequence(text);
  if (found === undefined) context.addIssue({ code: "custom", message: "is no position" });
  return found ?? { tx: 0, id: 0 };
});
const day = z.iso.date();

const parts = z.union([
  z.tuple([z.literal("a"), position, number, number, number]),
  z.tuple([z.literal("c"), position]),
  z.tuple([z.literal("c"), position, position, number, position, number, number]),
  z.tuple([z.literal("d"), day, day, z.string().max(300)]),
]);

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
      const { until, asOf, end, phase, key } = window;
      return ["c", formatSequence(after), formatSequence(until), asOf, formatSequence(end), phase, key];
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
  return placeOf(read.data);
}

function listIn(text: string): readonly unknown[] {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}

function placeOf(read: z.output<typeof parts>): DatasetPlace {
  if (read[0] === "a") {
    const [, until, asOf, key, edge] = read;
    return { kind: "all", until, asOf, key, edge };
  }
  if (read[0] === "d") {
    const [, from, until, key] = read;
    return { kind: "days", from, until, key };
  }
  const [, after, until, asOf, end, phase, key] = read;
  if (until === undefined || asOf === undefined || end === undefined) return { kind: "changes", after };
  return { kind: "changes", after, window: { until, asOf, end, phase: phase ?? 0, key: key ?? 0 } };
}
