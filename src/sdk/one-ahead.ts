/** Sends things one after the other, while the next is being made. */
export interface OneAhead<T> {
  /** Starts to send; resolves when the one before it has arrived, and throws what became of that. */
  readonly put: (item: T) => Promise<void>;
  /** Resolves when everything has arrived; throws what went wrong. */
  readonly settle: () => Promise<void>;
}

/** So that a sink can be sent rows while the source reads on: at most one item is under way, and one is waiting. */
export function createOneAhead<T>(send: (item: T) => Promise<void>): OneAhead<T> {
  let underWay: Promise<void> | undefined;
  const settle = async (): Promise<void> => {
    const last = underWay;
    underWay = undefined;
    await last;
  };
  return {
    settle,
    put: async (item) => {
      await settle();
      underWay = send(item);
      // It is waited for by the next call; until then nobody is to take it for a promise that nobody minds.
      underWay.catch(() => undefined);
    },
  };
}
