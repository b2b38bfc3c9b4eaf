import type { Readable } from "node:stream";

/** Reads a stream of bytes chunk by chunk. */
export interface ChunkReader {
  /** The next chunk; undefined at the end. Throws the stream's fault, and one of its own where it was closed before its end. */
  readonly next: () => Promise<Buffer | undefined>;
}

/** Chunks that are held before the stream is asked to wait: together less than a megabyte, as a rule. */
const mostHeld = 16;

interface State {
  readonly held: Buffer[];
  isDone: boolean;
  fault?: Error;
  wake?: () => void;
}

/** Gives chunks as they come. A stream's own iterator puts together what has come since it was last asked, which copies most of a large answer once more. */
export function createChunkReader(stream: Readable): ChunkReader {
  const state: State = { held: [], isDone: false };
  const finish = (fault?: Error): void => {
    if (!state.isDone && fault !== undefined) state.fault = fault;
    state.isDone = true;
    state.wake?.();
  };
  stream.on("data", (chunk: Buffer) => {
    state.held.push(chunk);
    if (state.held.length >= mostHeld) stream.pause();
    state.wake?.();
  });
  stream.once("end", () => finish());
  stream.once("error", finish);
  stream.once("close", () => finish(stream.errored ?? new Error("the stream was closed")));
  return {
    next: async () => {
      while (state.held.length === 0 && !state.isDone) {
        if (stream.isPaused()) stream.resume();
        await new Promise<void>((resolve) => (state.wake = resolve));
      }
      // What was held before a fault is no part of anything whole.
      if (state.fault !== undefined) throw state.fault;
      return state.held.shift();
    },
  };
}
