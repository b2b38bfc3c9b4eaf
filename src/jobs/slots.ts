/** A fixed number of places; who asks when all are taken waits in line. */
export interface Slots {
  /** Resolves with a function that gives the place back, to be called once. */
  readonly take: () => Promise<() => void>;
}

export function createSlots(count: number): Slots {
  let free = count;
  const line: (() => void)[] = [];
  const giveBack = (): void => {
    const next = line.shift();
    if (next === undefined) free += 1;
    else next();
  };
  return {
    take: () =>
      new Promise((resolve) => {
        const enter = (): void => resolve(giveBack);
        if (free > 0) {
          free -= 1;
          enter();
        } else line.push(enter);
      }),
  };
}
