import { z } from "zod";
import { AppError } from "../errors.ts";
import type { Page, Position } from "./store/list.ts";

const positionParts = z.tuple([
  z.string().max(50),
  z
    .string()
    .regex(/^[\d :.+-]+$/)
    .max(40)
    .nullable(),
  z.int().positive(),
]);

/** The position in a cursor that we gave out for the same sort; throws `bad_request` for any other text. */
export function parseCursor(cursor: string | undefined, sort: string): Position | undefined {
  if (cursor === undefined) return undefined;
  const parts = positionParts.safeParse(readJson(Buffer.from(cursor, "base64url").toString()));
  if (!parts.success || parts.data[0] !== sort) {
    const fields = [{ path: "cursor", message: "is not a cursor of this list" }];
    throw new AppError("bad_request", "the cursor is not one of this list; use next_cursor as it came", {
      details: { fields },
    });
  }
  const [, at, id] = parts.data;
  return { at: at ?? undefined, id };
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A page as JSON. */
export function formatPage({ bodies, next }: Page, sort: string): string {
  const cursor =
    next === undefined
      ? "null"
      : `"${Buffer.from(JSON.stringify([sort, next.at ?? null, next.id])).toString("base64url")}"`;
  return `{"data":[${bodies.join(",")}],"next_cursor":${cursor}}`;
}
