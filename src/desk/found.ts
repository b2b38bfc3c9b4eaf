import { AppError } from "../errors.ts";
import { formatObjectId } from "./object-id.ts";
import type { Found } from "./store/read.ts";

/** What was found, when it is there to be read. Throws `not_found`, `gone` for what was erased and `moved` for what was merged. */
export function requireFound(kind: "contact" | "ticket" | "order", found: Found | undefined): Found {
  if (found === undefined) throw new AppError("not_found", `there is no such ${kind}`);
  if (found.erased === true) throw new AppError("gone", `this ${kind} was erased`);
  if (typeof found.mergedInto !== "number" || kind === "order") return found;
  const movedTo = formatObjectId(kind, found.mergedInto);
  throw new AppError("moved", `this ${kind} was merged into another`, { details: { movedTo } });
}

/** The error with the new address of what was merged: the one that was asked for, with the id that it has now. Any other error as it is. */
export function locateMoved(error: unknown, url: string): unknown {
  if (!(error instanceof AppError) || typeof error.details.movedTo !== "string") return error;
  const location = url.replace(/^(\/v1\/(?:me\/)?\w+\/)(?!by-ref\/)[^/?]+/, `$1${error.details.movedTo}`);
  return new AppError("moved", error.message, { details: { location } });
}
