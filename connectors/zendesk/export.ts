import { setTimeout as sleep } from "node:timers/promises";
import { AppError } from "deskbridge/sdk";
import type { HttpRequest } from "deskbridge/sdk";
import { z } from "zod";
import type { ZendeskApi } from "./api.ts";

/** A pause up to this long is waited out here: exports take ten requests a minute. */
const longestPauseMs = 65_000;

/** Asks for a page of an incremental export, again after the pause that the vendor asks for. */
export async function askPatiently<S extends z.ZodType>(
  api: ZendeskApi,
  request: HttpRequest,
  schema: S,
): Promise<z.output<S>> {
  try {
    return await api.ask(request, schema);
  } catch (error) {
    const pauseMs =
      error instanceof AppError && error.code === "target_rate_limited" ? error.retryAfterMs : undefined;
    if (pauseMs === undefined || pauseMs > longestPauseMs) throw error;
    await sleep(pauseMs, undefined, request.signal === undefined ? {} : { signal: request.signal });
    return api.ask(request, schema);
  }
}

const mark = z.strictObject({
  /** The vendor's own, behind what was read. */
  cursor: z.string().min(1).optional(),
  /** A time in seconds since the epoch. */
  start: z.int().nonnegative().optional(),
});

/** Where an export stopped. */
export type ExportMark = z.output<typeof mark>;

/** Where an export of everything starts: before anybody's first ticket, in seconds since the epoch. */
export const beginning = 1;

/** The vendor leaves out what is younger than a minute. */
export const lagMs = 60_000;

/** The place in a watermark of ours; throws `target_rejected` for any other text. */
export function readMark(watermark: string): ExportMark {
  try {
    return mark.parse(JSON.parse(watermark));
  } catch (cause) {
    const message = "the watermark is none of this connection; begin anew with a full run";
    throw new AppError("target_rejected", message, { cause });
  }
}
