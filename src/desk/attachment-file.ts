import { randomBytes } from "node:crypto";
import type { Readable } from "node:stream";
import { AppError } from "../errors.ts";

/** Where the bytes of attachments are kept, under names of ours. A fault of the place is `storage_unavailable`. */
export interface AttachmentFiles {
  /** Writes a file whole or not at all: where it throws, and where `source` does, nothing is left of it. */
  readonly write: (name: string, source: AsyncIterable<Buffer>) => Promise<void>;
  /** The bytes of a file; throws `not_found`. The caller reads or destroys it. */
  readonly read: (name: string) => Promise<Readable>;
  /** Removes a file; does nothing when it is not there. */
  readonly remove: (name: string) => Promise<void>;
  readonly close: () => Promise<void>;
}

/** A name for a new file, which nobody can guess. */
export function newFileName(): string {
  return randomBytes(20).toString("hex");
}

/** The fault of a place, in our words; what was thrown in them stays. */
export function storageFault(error: unknown, what: string): AppError {
  if (error instanceof AppError) return error;
  return new AppError("storage_unavailable", `the attachment could not be ${what}`, { cause: error });
}
