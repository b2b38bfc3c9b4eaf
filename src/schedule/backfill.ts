import type { Engine, OpenConnection } from "../jobs/engine.ts";
import type { Intake } from "../jobs/intake.ts";
import { runWithCallContext } from "../sdk/call-context.ts";
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

/** A stretch of a source's history, `since` inclusive, `until` exclusive, both RFC 3339 UTC. */
export interface BackfillSpan {
  readonly source: string;
  readonly since: string;
  readonly until: string;
}

/** The name that a backfill's cursor has among those of its connection. */
export function backfillCursor({ source, since, until }: BackfillSpan): string {
  return `backfill:${source}:${since}:${until}`;
}

/** What `backfillCursor` was made of; undefined for the cursor of a source's live polling. */
export function parseBackfillCursor(name: string): BackfillSpan | undefined {
  const instant = String.raw`\d{4}-\d\d-\d\dT[\d:.]+Z`;
  const match = new RegExp(`^backfill:(.+?):(${instant}):(${instant})$`).exec(name);
  const [, source, since, until] = match ?? [];
  return source === undefined || since === undefined || until === undefined
    ? undefined
    : { source, since, until };
}

/**
 * Reads a stretch of a source's history and stores it behind live traffic. Keeps a cursor of its own, so the same request goes on where it was
 * cut off, and the cursor of live polling stays where it is. A backfill that is complete leaves its cursor at `until`; one that was cut off
 * returns, or rejects with the fault of the call that was under way, and leaves it before. Where the connection has a rate limit, calls of
 * live traffic go first.
 */
export function backfill(
  engine: Engine,
  intake: Intake,
  request: BackfillRequest,
  signal: AbortSignal,
): Promise<BackfillProgress> {
  return runWithCallContext({ priority: "backfill" }, () => readStretch(engine, intake, request, signal));
}

async function readStretch(
  engine: Engine,
  intake: Intake,
  request: BackfillRequest,
  signal: AbortSignal,
): Promise<BackfillProgress> {
  const source = sourceOf(request.connection, request.source);
  const connection = request.connection.config.name;
  const key = backfillCursor(request);
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
  // A source may end quietly when it is stopped: that is not the end of the stretch.
  if (signal.aborted) return progress;
  await intake.acceptPage(
    [],
    { connection, source: key, cursor: { time: request.until, seen: [] } },
    "backfill",
  );
  progress = { ...progress, fraction: 1 };
  request.onProgress(progress);
  return progress;
}
