/** Bounds how many lanes a process has leased at a time. */
export interface Room {
  /** Waits until so many more lanes fit in; one that is alone always does. */
  readonly enter: (lanes: number) => Promise<void>;
  readonly leave: (lanes: number) => void;
  /** Lets everybody in who waits or comes later: there is no more to bound. */
  readonly lift: () => void;
}

/**
 * A room for `most` lanes. Once it was full, those who wait are let in when it is down to `low`, all together: what they then ask the ledger
 * for shares a statement.
 */
export function createRoom(most: number, low: number): Room {
  let used = 0;
  let lifted = false;
  const line: { readonly lanes: number; readonly enter: () => void }[] = [];
  const fits = (lanes: number): boolean => lifted || used === 0 || used + lanes <= most;
  const letIn = (): void => {
    for (let first = line[0]; first !== undefined && fits(first.lanes); first = line[0]) {
      line.shift();
      used += first.lanes;
      first.enter();
    }
  };
  return {
    enter: (lanes) => {
      if (line.length > 0 || !fits(lanes)) return new Promise((enter) => void line.push({ lanes, enter }));
      used += lanes;
      return Promise.resolve();
    },
    leave: (lanes) => {
      used -= lanes;
      if (used <= low) letIn();
    },
    lift: () => {
      lifted = true;
      letIn();
    },
  };
}
