import type { Engine, OpenConnection } from "../jobs/engine.ts";
import type { Intake } from "../jobs/intake.ts";
import { sourceOf } from "./poller.ts";

interface BackfillRequest {
  readonly connection: OpenConnection;
  readonly source: string;
  /** RFC 3339 UTC; records changed at or after it are read. */
  readonly since: string;
  /** RFC 3339 UTC; records changed before it are read. */
  readonly until: string;
  readonly onProgress: (progress: BackfillProgress) => void;
}

export interface BackfillProgress {
  readonly accepted: number;
  readonly duplicates: number;
  /** How far the read has come, between 0 and 1, by time. */
  readonly fraction: number;
}

/**
 * Reads a stretch of a source's history and stores it behind live traffic. Keeps a cursor of its own, so the same request goes on where it was
 * cut off, and the cursor of live polling stays where it is.
 */
export async function backfill(
  engine: Engine,
  intake: Intake,
  request: BackfillRequest,
  signal: AbortSignal,
): Promise<BackfillProgress> {
  const source = sourceOf(request.connection, request.source);
  const connection = request.connection.config.name;
  const key = `backfill:${request.source}:${request.since}:${request.until}`;
  const cursor = (await engine.ledger.cursor(connection, key)) ?? { time: request.since, seen: [] };
  const start = Date.parse(request.since);
  const length = Math.max(1, Date.parse(request.until) - start);
  let progress: BackfillProgress = { accepted: 0, duplicates: 0, fraction: 0 };
  for await (const page of source.read({ cursor, until: request.until, signal })) {
    const appended = await intake.acceptPage(
      page.events,
      { connection, source: key, cursor: page.cursor },
      "backfill",
    );
    const duplicates = appended.filter((one) => one.duplicate).length;
    progress = {
      accepted: progress.accepted + appended.length - duplicates,
      duplicates: progress.duplicates + duplicates,
      fraction: Math.min(1, Math.max(0, (Date.parse(page.cursor.time) - start) / length)),
    };
    request.onProgress(progress);
    if (signal.aborted) return progress;
  }
  progress = { ...progress, fraction: 1 };
  request.onProgress(progress);
  return progress;
}
