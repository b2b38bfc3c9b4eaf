import { AppError } from "deskbridge/sdk";

type Json = Readonly<Record<string, unknown>>;

interface Replacement<T> {
  /** What was read last. */
  readonly from: T;
  /** The write that this state still needs, with all that is to be kept in it; undefined when it needs none. */
  readonly change: (now: T) => Json | undefined;
  readonly write: (body: Json) => Promise<void>;
  readonly read: () => Promise<T>;
}

const mostWrites = 3;

/**
 * Changes part of what a write replaces as a whole: merge, write, read again, until what was read needs no change. So a write of ours that
 * another one overwrote is made again; what another one wrote between our read and our write is lost, because Gorgias has no versions to
 * name. Answers how many writes it took. Throws `target_conflict` when three were not enough.
 */
export async function replace<T>({ from, change, write, read }: Replacement<T>): Promise<number> {
  let now = from;
  for (let writes = 0; ; writes += 1) {
    const body = change(now);
    if (body === undefined) return writes;
    if (writes === mostWrites) {
      throw new AppError(
        "target_conflict",
        `what was written is gone again after ${mostWrites} writes: something else keeps writing the same`,
      );
    }
    await write(body);
    now = await read();
  }
}
