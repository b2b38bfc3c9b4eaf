import { once } from "node:events";
import type { Readable } from "node:stream";
import type { Pool } from "pg";
import { CopyRows } from "./copy-rows.ts";
import { toStoreError } from "./fault.ts";

/**
 * The rows of a `select` as CSV, read from the database no faster than they are taken. Throws before the first byte what the database says to it; a fault on
 * the way destroys the stream, so that what was sent never looks whole. Whoever destroys it ends the statement. `pool` is for these alone: a reader who
 * takes their time keeps a connection for as long.
 */
export async function openCopy(pool: Pool, select: string): Promise<Readable> {
  const client = await pool.connect().catch((error: unknown) => {
    throw toStoreError(error);
  });
  const stream = client.query(new CopyRows(`copy (${select}) to stdout (format csv)`));
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
