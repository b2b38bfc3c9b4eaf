import { overtakenBy } from "deskbridge/sdk";
import type { CommitReceipt, CommitRequest, SinkRequest, SinkWriter } from "deskbridge/sdk";
import type { Config } from "./config.ts";
import { currentRecord, note, readRecords } from "./record.ts";
import { openServer } from "./server.ts";
import type { Server } from "./server.ts";
import { openStage } from "./stage.ts";
import type { Stage } from "./stage.ts";
import { openTable } from "./table.ts";
import type { OpenTable } from "./table.ts";

/**
 * Opens a table for one run. Changes are gathered in a stage; a commit notes where the table will stand and then attaches the stage's parts, which the engine does
 * in one step. A note whose rows are not there counts for nothing, so the two cannot come apart.
 */
export async function openWriter(config: Config, request: SinkRequest): Promise<SinkWriter> {
  const server = await openServer(config, request.signal);
  try {
    const open = await openTable(server, config.database, request);
    const stage = await openStage(server, config.database, request, open);
    return {
      keepsPosition: true,
      position: open.position,
      leftOut: open.leftOut,
      write: async (change) => {
        request.signal.throwIfAborted();
        await stage.put(change);
      },
      commit: (commit) => commitStage(server, stage, { request, open }, commit),
      abort: () => stage.clear(),
      close: async () => {
        await stage.close();
        await server.close();
      },
    };
  } catch (error) {
    await server.close();
    throw error;
  }
}

async function commitStage(
  server: Server,
  stage: Stage,
  { request, open }: { readonly request: SinkRequest; readonly open: OpenTable },
  commit: CommitRequest,
): Promise<CommitReceipt> {
  const { names, written } = open;
  await stage.settle();
  await requireTurn(server, open, request);
  const dropped = await stage.drop(commit);
  const { upserts, deletes, bytes, batches, firstVersion, version } = stage.staged();
  const hasRows = upserts + deletes + dropped > 0;
  // One part instead of one a batch, and one version of each row.
  if (batches + (dropped > 0 ? 1 : 0) > 1) await server.run(`OPTIMIZE TABLE ${stage.table} FINAL`);
  await note(server, names, request, {
    position: { run: request.run, watermark: commit.watermark },
    filled: written.map(({ name }) => name),
    version,
    firstVersion: hasRows ? firstVersion : undefined,
  });
  if (hasRows) await server.run(`ALTER TABLE ${names.rows} ATTACH PARTITION tuple() FROM ${stage.table}`);
  await stage.clear();
  return { inserted: 0, updated: upserts, deleted: deletes + dropped, bytes };
}

async function requireTurn(server: Server, { names }: OpenTable, request: SinkRequest): Promise<void> {
  const records = await readRecords(server, names, request.table.name);
  const last = (await currentRecord(server, names, records))?.position?.run ?? 0;
  if (last > request.run) throw overtakenBy(last, request);
}
