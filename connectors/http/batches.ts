import type { RowChange, RowChangeKind } from "deskbridge/sdk";

/** Rows of one kind that go in one request, each as JSON. */
export interface Batch {
  readonly kind: RowChangeKind;
  readonly rows: readonly string[];
}

/** Gathers rows until they fill a request. */
export interface Batches {
  /** Takes the rows of a change; sends what is full, or of the other kind, in the order in which it came. */
  readonly add: (change: RowChange) => Promise<void>;
  /** Sends what is left. */
  readonly flush: () => Promise<void>;
  readonly clear: () => void;
}

export function createBatches(
  limits: { readonly batchRows: number; readonly maxBytes: number },
  send: (batch: Batch) => Promise<void>,
): Batches {
  let kind: RowChangeKind = "upsert";
  let rows: string[] = [];
  let bytes = 0;
  const clear = (): void => {
    rows = [];
    bytes = 0;
  };
  const flush = async (): Promise<void> => {
    if (rows.length === 0) return;
    await send({ kind, rows });
    clear();
  };
  return {
    add: async (change) => {
      for (const row of change.batch.rows()) {
        const text = JSON.stringify(row);
        const length = Buffer.byteLength(text) + 1;
        const isFull = rows.length >= limits.batchRows || bytes + length > limits.maxBytes;
        if (kind !== change.kind || isFull) await flush();
        kind = change.kind;
        rows.push(text);
        bytes += length;
      }
    },
    flush,
    clear,
  };
}
