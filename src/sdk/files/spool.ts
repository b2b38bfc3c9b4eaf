import type { FileHandle } from "node:fs/promises";
import { mkdir, open, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Column } from "../../model/dataset.ts";
import type { RowBatch } from "../row-batch.ts";
import { diskFault } from "./disk-fault.ts";

/** A file of CSV rows, after a line that is none, with the columns that they have. */
export interface SpoolFile {
  readonly path: string;
  readonly columns: readonly Column[];
  readonly rows: number;
  /** Whether it was handed on because it was large. */
  readonly isFull: boolean;
}

/** Rows on their way into DuckDB: appended to a file as they come, which is handed on when it is large or when rows with other columns come. */
export interface Spool {
  /** Resolves when the rows are in the file; gives back a file that is to be taken in and removed. */
  readonly write: (batch: RowBatch) => Promise<SpoolFile | undefined>;
  /** The file that was being written, if there is one. */
  readonly finish: () => Promise<SpoolFile | undefined>;
  /** Removes what was not handed on. */
  readonly clear: () => Promise<void>;
}

interface OpenFile extends Omit<SpoolFile, "rows" | "isFull"> {
  readonly handle: FileHandle;
  readonly shape: string;
  bytes: number;
  rows: number;
}

/** The first line of a file. A character at the very beginning could be taken for a mark of the encoding. */
const spoolHeading = "rows\n";

/** What is written before DuckDB takes it in: enough to be worth files of its own, little enough for these to be gathered in memory while more comes. */
const usualFileBytes = 16 * 1024 ** 2;

/** Appends bytes; gives back how many. */
async function append(handle: FileHandle, chunks: readonly Buffer[]): Promise<number> {
  const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const { bytesWritten } = await handle.writev(chunks);
  // A disk that is full takes a part first, and says so when it is asked for the rest.
  if (bytesWritten < bytes) await handle.appendFile(Buffer.concat(chunks).subarray(bytesWritten));
  return bytes;
}

export function createSpool(folder: string, name: string, fileBytes = usualFileBytes): Spool {
  let current: OpenFile | undefined;
  let number = 0;

  const finish = async (): Promise<SpoolFile | undefined> => {
    const file = current;
    current = undefined;
    if (file === undefined) return undefined;
    await file.handle.close();
    return { path: file.path, columns: file.columns, rows: file.rows, isFull: file.bytes >= fileBytes };
  };

  const begin = async (columns: readonly Column[], shape: string): Promise<OpenFile> => {
    await mkdir(folder, { recursive: true });
    number += 1;
    const path = join(folder, `${name}-${number}.spool`);
    const handle = await open(path, "w");
    current = { path, columns, shape, handle, bytes: 0, rows: 0 };
    await handle.appendFile(spoolHeading);
    return current;
  };

  return {
    write: async (batch) => {
      try {
        const shape = JSON.stringify(batch.columns.map((column) => [column.name, column.type]));
        const done =
          current !== undefined && (current.shape !== shape || current.bytes >= fileBytes)
            ? await finish()
            : undefined;
        const file = current ?? (await begin(batch.columns, shape));
        file.bytes += await append(file.handle, batch.csvChunks());
        file.rows += batch.count;
        return done;
      } catch (error) {
        throw diskFault(error, `rows cannot be staged in ${folder}`);
      }
    },
    finish,
    clear: async () => {
      const file = await finish();
      if (file !== undefined) await rm(file.path, { force: true });
    },
  };
}
