/** An answer that can be let go of. */
export interface Closable {
  /** Never throws. */
  readonly close: () => Promise<void>;
}

/** Something that is opened before it is needed. */
export interface Ahead<T> {
  /** Begins to open it; does nothing the second time. */
  readonly start: () => void;
  /** Gives what was begun, or opens it now. */
  readonly take: () => Promise<T>;
}

/** An answer that nobody has read from for so long may have been cut off by whoever stands between. */
const freshMs = 30_000;

/**
 * Opens something ahead of its time. Where that failed, or was too long ago, it is opened anew when it is needed, so nothing is lost by having tried. What was opened and
 * is not taken is closed by the signal that it was opened with.
 */
export function createAhead<T extends Closable>(open: () => Promise<T>, now: () => number): Ahead<T> {
  let begun: { readonly answer: Promise<T>; readonly at: number } | undefined;
  return {
    start: () => {
      if (begun !== undefined) return;
      begun = { answer: open(), at: now() };
      // It is asked about by `take`, perhaps never; until then nobody is to take it for a promise that nobody minds.
      begun.answer.catch(() => undefined);
    },
    take: async () => {
      const answer = await begun?.answer.catch(() => undefined);
      if (begun === undefined || answer === undefined) return await open();
      if (now() - begun.at < freshMs) return answer;
      await answer.close();
      return await open();
    },
  };
}
