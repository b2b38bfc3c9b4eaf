import type { Readable } from "node:stream";

/** Reads a stream of bytes chunk by chunk. */
export interface ChunkReader {
  /** The next chunk; undefined at the end. Throws the stream's fault, and one of its own where it was closed before its end. */
  readonly next: () => Promise<Buffer | undefined>;
}

/** Chunks that are held before the stream is asked to wait: together less than a megabyte, as a rule. */
const mostHeld = 16;

/** Gives chunks as they come. A stream's own iterator puts together what has come since it was last asked, which copies most of a large answer once more. */
export function createChunkReader(stream: Readable): ChunkReader {
  const held: Buffer[] = [];
  let ended: { readonly fault?: unknown } | undefined;
  let wake: (() => void) | undefined;
  const finish = (how: { readonly fault?: unknown }): void => {
    ended ??= how;
    wake?.();
  };
  stream.on("data", (chunk: Buffer) => {
    held.push(chunk);
    if (held.length >= mostHeld) stream.pause();
    wake?.();
  });
  stream.once("end", () => finish({}));
  stream.once("error", (fault: unknown) => finish({ fault }));
  stream.once("close", () => finish({ fault: stream.errored ?? new Error("the stream was closed") }));
  return {
    next: async () => {
      while (held.length === 0 && ended === undefined) {
        if (stream.isPaused()) stream.resume();
        await new Promise<void>((resolve) => (wake = resolve));
      }
      // What was held before a fault is no part of anything whole.
      if (ended?.fault !== undefined) throw ended.fault;
      return held.shift();
    },
  };
}
