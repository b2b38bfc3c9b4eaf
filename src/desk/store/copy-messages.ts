/** Messages of a PostgreSQL server, in the order of its protocol (version 3): a letter, the length of what follows with these four bytes in it, the rest. */
const [headBytes, lengthBytes] = [5, 4];
const copyData = 0x64;
const copyDone = 0x63;
const errorResponse = 0x45;

/** What a piece of the connection held. */
export interface CopiedBytes {
  /** Of rows, where they stood; empty where there were none. */
  readonly rows: Buffer;
  /** What came behind the last row, from the message on that ends the copy; undefined until then. */
  readonly rest: Buffer | undefined;
}

/**
 * Takes the rows of a `copy … to stdout` out of what a server sends, piece by piece as it comes. Every row is a message of its own: they are moved together
 * within the piece, without an object for each. What else a server may say meanwhile (notices, settings) is left out.
 */
export function createCopyReader(): (piece: Buffer) => CopiedBytes {
  const head = Buffer.alloc(headBytes);
  let headFilled = 0;
  /** Of the message that is being read: what is missing of it. */
  let missing = 0;
  let isRow = false;
  return (piece) => {
    let at = 0;
    let end = 0;
    while (at < piece.length) {
      if (missing === 0) {
        const taken = Math.min(headBytes - headFilled, piece.length - at);
        piece.copy(head, headFilled, at, at + taken);
        headFilled += taken;
        at += taken;
        if (headFilled < headBytes) break;
        if (head[0] === copyDone || head[0] === errorResponse) {
          const rest = Buffer.concat([head, piece.subarray(at)]);
          return { rows: piece.subarray(0, end), rest };
        }
        isRow = head[0] === copyData;
        missing = head.readUInt32BE(1) - lengthBytes;
        headFilled = 0;
      }
      const taken = Math.min(missing, piece.length - at);
      if (isRow) {
        piece.copyWithin(end, at, at + taken);
        end += taken;
      }
      at += taken;
      missing -= taken;
    }
    return { rows: piece.subarray(0, end), rest: undefined };
  };
}
