import { createHash } from "node:crypto";
import type { CommitReceipt, CommitRequest, SinkRequest, SinkWriter } from "deskbridge/sdk";
import { z } from "zod";
import { createBatches } from "./batches.ts";
import type { Config } from "./config.ts";
import type { Endpoint } from "./endpoint.ts";

const counts = z.object({
  inserted: z.int().min(0).optional(),
  updated: z.int().min(0).optional(),
  deleted: z.int().min(0).optional(),
});

/** Numbers of what was sent since the last commit. `commit` tells one stretch of a run from the next, `batch` the requests of a stretch. */
interface Sent {
  commit: number;
  batch: number;
  upserts: number;
  deletes: number;
  bytes: number;
}

/**
 * Sends rows as they come, in requests of a bounded size, and says at the end of a chunk that it is whole. An endpoint that keeps rows apart until then shows all
 * of them or none; one that takes them at once is as right in the end, since the same rows come again after a fault.
 */
export function createWriter(settings: Config, endpoint: Endpoint, request: SinkRequest): SinkWriter {
  const sent: Sent = { commit: 1, batch: 0, upserts: 0, deletes: 0, bytes: 0 };
  const post = createPost(endpoint, request, sent);
  const batches = createBatches(settings, async ({ kind, rows }) => {
    const { key, day } = request.table;
    await post("rows", { batch: sent.batch + 1, kind, key, day, count: rows.length }, rows.join(","));
    sent.batch += 1;
    sent[kind === "upsert" ? "upserts" : "deletes"] += rows.length;
  });
  return {
    keepsPosition: false,
    leftOut: [],
    write: async (change) => {
      request.signal.throwIfAborted();
      await batches.add(change);
    },
    commit: async (commit) => {
      request.signal.throwIfAborted();
      await batches.flush();
      const answer = await post("commit", factsOf(commit, sent));
      const receipt = receiptOf(sent, answer);
      startOver(sent);
      return receipt;
    },
    abort: async () => {
      batches.clear();
      startOver(sent);
    },
    close: async () => batches.clear(),
  };
}

type Post = (type: "rows" | "commit", facts: object, rows?: string) => Promise<unknown>;

/** Sends a message and gives back what was answered, where that is JSON. */
function createPost(endpoint: Endpoint, request: SinkRequest, sent: Sent): Post {
  const { table, export: name, run, signal } = request;
  return async (type, facts, rows) => {
    const head = { type, export: name, table: table.name, dataset: table.dataset, run, commit: sent.commit };
    const json = withRows(JSON.stringify({ ...head, ...facts }), rows);
    // Of the contents too: a run that is tried again after its rows have changed sends another request.
    const id = `exp_${createHash("sha256").update(json).digest("base64url")}`;
    const { body } = await endpoint({ id, json, signal });
    sent.bytes += Buffer.byteLength(json);
    return body;
  };
}

// Rows are already text: they are put into the message as they are.
function withRows(head: string, rows: string | undefined): string {
  return rows === undefined ? head : `${head.slice(0, -1)},"rows":[${rows}]}`;
}

function factsOf({ watermark, dropOlderThan, dropOlderThanIn }: CommitRequest, sent: Sent): object {
  return {
    batches: sent.batch,
    rows: sent.upserts + sent.deletes,
    watermark,
    ...(dropOlderThan === undefined ? {} : { dropOlderThan }),
    ...(dropOlderThanIn === undefined ? {} : { dropOlderThanIn }),
  };
}

/** What the endpoint says that it did, where its answer has counts; else what was sent. */
function receiptOf(sent: Sent, answer: unknown): CommitReceipt {
  const told = counts.safeParse(answer);
  const {
    inserted = 0,
    updated = sent.upserts - inserted,
    deleted = sent.deletes,
  } = told.success ? told.data : {};
  return { inserted, updated, deleted, bytes: sent.bytes };
}

function startOver(sent: Sent): void {
  Object.assign(sent, { commit: sent.commit + 1, batch: 0, upserts: 0, deletes: 0, bytes: 0 });
}
