import { AppError, overtakenBy } from "deskbridge/sdk";
import type { CommitReceipt, CommitRequest, SinkRequest, SinkWriter } from "deskbridge/sdk";
import { quoted } from "./column.ts";
import type { Config } from "./config.ts";
import { publish } from "./publish.ts";
import type { Target } from "./publish.ts";
import { createFirstLoad } from "./first-load.ts";
import { lockRecord, noteCommit } from "./record.ts";
import { openSession } from "./session.ts";
import type { Session } from "./session.ts";
import { openStage } from "./stage.ts";
import { createStraight } from "./straight.ts";
import type { Straight } from "./straight.ts";
import type { Stage } from "./stage.ts";
import { openTable } from "./table.ts";

/**
 * Opens a table for one run: rows are copied into a temporary table, and a commit merges them into the real one together with the record of where it stands, in
 * one transaction. Those of a first load go straight into the table, in that same transaction, which also makes it. Whether a commit whose connection broke took effect is told by that record, which the next `open` reads.
 */
export async function openWriter(config: Config, request: SinkRequest): Promise<SinkWriter> {
  const session = await openSession(config, request.signal);
  try {
    const open = await openTable(session, config.schema, request);
    const table = `${quoted(config.schema)}.${quoted(request.table.name)}`;
    const later = createStraight(session, table, open, request.run);
    const isMissing = open.state === "missing";
    const straight = isMissing ? createFirstLoad(session, config.schema, request, later) : later;
    const stage = await openStage(session, request.table, straight);
    const target = { table, request, written: open.written };
    return {
      keepsPosition: true,
      position: open.position,
      leftOut: open.leftOut,
      write: async (change) => {
        request.signal.throwIfAborted();
        await stage.put(change);
      },
      commit: (commit) => commitStage(session, { stage, straight, target }, config.schema, commit),
      abort: () => stage.clear(),
      close: () => session.close(),
    };
  } catch (error) {
    await session.close();
    throw error;
  }
}

interface Chunk {
  readonly stage: Stage;
  readonly straight: Straight;
  readonly target: Target;
}

async function commitStage(
  session: Session,
  { stage, straight, target }: Chunk,
  schema: string,
  commit: CommitRequest,
): Promise<CommitReceipt> {
  const { request, written } = target;
  await stage.settle();
  const staged = stage.staged();
  try {
    const published = await session.transaction(async () => {
      await requireTurn(session, schema, request);
      const { inserted, isNew } = await straight.finish();
      const counts = await publish(session, target, { staged, isNew }, commit);
      await noteCommit(session, schema, request.table.name, {
        position: { run: request.run, watermark: commit.watermark },
        filled: written.map(({ name }) => name),
      });
      return { ...counts, inserted: counts.inserted + inserted };
    });
    straight.ended(true);
    await stage.clear();
    return { ...published, bytes: staged.bytes };
  } catch (error) {
    // Staged rows are still there; those that were in the transaction are not.
    if (straight.rows() > 0) stage.fail(error);
    throw error;
  }
}

// The lock on the record is held to the end of the transaction, so that two runs cannot both find that it is their turn.
async function requireTurn(session: Session, schema: string, request: SinkRequest): Promise<void> {
  const record = await lockRecord(session, schema, request.table.name);
  if (record === undefined) {
    const message = `The record of the table ${request.table.name} was taken away during the run.`;
    throw new AppError("sink_table_foreign", message);
  }
  const last = record.position?.run ?? 0;
  if (last > request.run) throw overtakenBy(last, request);
}
