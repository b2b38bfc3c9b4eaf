import { Readable } from "node:stream";
import type { Connection, Submittable } from "pg";
import { createCopyReader } from "./copy-messages.ts";

/** Read ahead of whoever takes the rows: some pieces of a socket. */
const aheadBytes = 256 * 1024;

type Parser = (piece: Buffer) => void;

/**
 * The rows of a `copy … to stdout`, for `client.query`: while they come it reads the connection in the place of the driver's parser, which would make objects of
 * each row. It ends when the statement is done. A statement that fails destroys it.
 */
export class CopyRows extends Readable implements Submittable {
  readonly #text: string;
  readonly #read = createCopyReader();
  #connection: Connection["stream"] | undefined;
  #parser: Parser | undefined;

  constructor(text: string) {
    super({ highWaterMark: aheadBytes });
    this.#text = text;
  }

  submit(connection: Connection): void {
    const { stream } = connection;
    const [parser] = stream.listeners("data");
    this.#parser = parser as Parser;
    this.#connection = stream;
    stream.off("data", this.#parser).on("data", this.#take);
    connection.query(this.#text);
  }

  override _read(): void {
    this.#connection?.resume();
  }

  readonly #take = (piece: Buffer): void => {
    const { rows, rest } = this.#read(piece);
    const isWanted = rows.length === 0 || this.push(rows);
    if (rest !== undefined) this.#giveBack(rest);
    else if (!isWanted) this.#connection?.pause();
  };

  /** What comes behind the rows is the driver's again. */
  #giveBack(rest: Buffer): void {
    const [stream, parser] = [this.#connection, this.#parser];
    if (stream === undefined || parser === undefined) return;
    this.#connection = undefined;
    stream.off("data", this.#take).on("data", parser);
    parser(rest);
    stream.resume();
  }

  handleCommandComplete(): void {
    this.push(null);
  }

  /** Of the statement, or of the connection. */
  handleError(error: Error): void {
    this.destroy(error);
  }

  handleReadyForQuery(): void {
    // Nothing is left to do: the end came with the statement's.
  }
}
