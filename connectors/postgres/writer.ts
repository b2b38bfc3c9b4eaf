import { AppError, overtakenBy } from "deskbridge/sdk";
import type { CommitReceipt, CommitRequest, SinkRequest, SinkWriter } from "deskbridge/sdk";
import { quoted } from "./column.ts";
import type { Config } from "./config.ts";
import { publish } from "./publish.ts";
import type { Target } from "./publish.ts";
import { lockRecord, noteCommit } from "./record.ts";
import { openSession } from "./session.ts";
import type { Session } from "./session.ts";
import { openStage } from "./stage.ts";
import type { Stage } from "./stage.ts";
import { openTable } from "./table.ts";

/**
 * Opens a table for one run: rows are copied into a temporary table, and a commit merges them into the real one together with the record of where it stands, in
 * one transaction. Whether a commit whose connection broke took effect is told by that record, which the next `open` reads.
 */
export async function openWriter(config: Config, request: SinkRequest): Promise<SinkWriter> {
  const session = await openSession(config, request.signal);
  try {
    const { written, ...table } = await openTable(session, config.schema, request);
    const stage = await openStage(session, request.table);
    const target = { table: `${quoted(config.schema)}.${quoted(request.table.name)}`, request, written };
    return {
      ...table,
      keepsPosition: true,
      write: async (change) => {
        request.signal.throwIfAborted();
        await stage.put(change);
      },
      commit: (commit) => commitStage(session, stage, target, config.schema, commit),
      abort: () => stage.clear(),
      close: () => session.close(),
    };
  } catch (error) {
    await session.close();
    throw error;
  }
}

async function commitStage(
  session: Session,
  stage: Stage,
  target: Target,
  schema: string,
  commit: CommitRequest,
): Promise<CommitReceipt> {
  const { request, written } = target;
  await stage.settle();
  const staged = stage.staged();
  const published = await session.transaction(async () => {
    await requireTurn(session, schema, request);
    const counts = await publish(session, target, staged, commit);
    await noteCommit(session, schema, request.table.name, {
      position: { run: request.run, watermark: commit.watermark },
      filled: written.map(({ name }) => name),
    });
    return counts;
  });
  await stage.clear();
  return { ...published, bytes: staged.bytes };
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
