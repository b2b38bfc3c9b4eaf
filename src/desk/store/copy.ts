import { once } from "node:events";
import type { Readable } from "node:stream";
import type { Pool } from "pg";
import { to as copyTo } from "pg-copy-streams";
import { toStoreError } from "./fault.ts";

/** Rows as they leave the database, read from it no faster than they are taken. */
export interface Copies {
  /**
   * The rows of a `select` as CSV. Throws before the first byte what the database says to it; a fault on the way destroys the stream, so that what was
   * sent never looks whole. Whoever destroys it ends the statement.
   */
  readonly open: (select: string) => Promise<Readable>;
  /** Destroys what is still being read. */
  readonly close: () => void;
}

/** `pool` is for these alone: a reader who takes their time keeps a connection for as long. */
export function createCopies(pool: Pool): Copies {
  const running = new Set<Readable>();
  return {
    open: async (select) => {
      const stream = await openCopy(pool, select);
      running.add(stream);
      stream.once("close", () => running.delete(stream));
      return stream;
    },
    close: () => {
      for (const stream of running) stream.destroy(new Error("the server is closing"));
    },
  };
}

async function openCopy(pool: Pool, select: string): Promise<Readable> {
  const client = await pool.connect().catch((error: unknown) => {
    throw toStoreError(error);
  });
  const stream = client.query(copyTo(`copy (${select}) to stdout (format csv)`));
  let whole = false;
  stream.once("end", () => (whole = true));
  // A connection in the middle of a copy is of no use to anybody else.
  stream.once("close", () => client.release(!whole));
  // What `readable` brings first is a row, the end, or what is wrong with the statement.
  try {
    await once(stream, "readable");
  } catch (error) {
    stream.destroy();
    throw toStoreError(error);
  }
  stream.on("error", () => stream.destroy());
  return stream;
}
