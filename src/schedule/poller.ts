import { AppError } from "../errors.ts";
import type { Engine, OpenConnection } from "../jobs/engine.ts";
import type { Intake } from "../jobs/intake.ts";
import type { Source } from "../sdk/source.ts";

/** The name of a source's timetable in the queue. */
export function pollName(connection: string, source: string): string {
  return `poll:${connection}:${source}`;
}

/** What polling one source brought. */
export interface PollResult {
  readonly pages: number;
  readonly accepted: number;
  readonly duplicates: number;
}

export function sourceOf(connection: OpenConnection, name: string): Source {
  const source = connection.connection.sources?.[name];
  if (source !== undefined) return source;
  const known = Object.keys(connection.connection.sources ?? {});
  const offer = known.length === 0 ? "it has none" : `it has ${known.join(", ")}`;
  throw new AppError(
    "capability_missing",
    `connection ${connection.config.name} has no source ${name}; ${offer}`,
  );
}

/**
 * Reads a source from its cursor until it has caught up. Each page is stored in the transaction that moves the cursor, so a crash between pages
 * repeats nothing and loses nothing. On the first poll ever, `skipHistory` starts from now.
 */
export async function poll(
  engine: Engine,
  intake: Intake,
  opened: OpenConnection,
  name: string,
  signal: AbortSignal,
): Promise<PollResult> {
  const source = sourceOf(opened, name);
  const connection = opened.config.name;
  let cursor = await engine.ledger.cursor(connection, name);
  if (cursor === undefined && opened.config.poll?.skipHistory === true) {
    cursor = { time: new Date(engine.now()).toISOString(), seen: [] };
    await intake.acceptPage([], { connection, source: name, cursor }, "poll");
  }
  const result = { pages: 0, accepted: 0, duplicates: 0 };
  for await (const page of source.read({ cursor, signal })) {
    engine.crashPoint("poll.page");
    const appended = await intake.acceptPage(
      page.events,
      { connection, source: name, cursor: page.cursor },
      "poll",
    );
    result.pages += 1;
    const duplicates = appended.filter((one) => one.duplicate).length;
    result.duplicates += duplicates;
    result.accepted += appended.length - duplicates;
    if (signal.aborted) break;
  }
  return result;
}
