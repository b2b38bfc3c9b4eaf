/** What the desk stub takes in any stretch of so many seconds. */
export interface CallLimit {
  readonly calls: number;
  readonly perSeconds: number;
}

/** Counts calls in a window that slides: says for how many seconds there is no room, or takes the call. */
export function limiterOf(limit: CallLimit | undefined): (now: number) => number | undefined {
  let taken: number[] = [];
  return (now) => {
    if (limit === undefined) return undefined;
    taken = taken.filter((at) => at > now - limit.perSeconds * 1000);
    const [first] = taken;
    if (first !== undefined && taken.length >= limit.calls)
      return Math.ceil((first + limit.perSeconds * 1000 - now) / 1000);
    taken.push(now);
    return undefined;
  };
}
