import { createHash } from "node:crypto";

/** Chance that comes out the same for the same seed. */
export interface Dice {
  /** A whole number from 0 up to, not including, `limit`. */
  readonly below: (limit: number) => number;
  readonly pick: <T>(from: readonly T[]) => T;
  /** The same things in another order. */
  readonly shuffle: <T>(things: readonly T[]) => T[];
}

export function createDice(seed: string): Dice {
  let thrown = 0;
  const below = (limit: number): number => {
    thrown += 1;
    return createHash("sha256").update(`${seed}/${thrown}`).digest().readUInt32BE(0) % limit;
  };
  return {
    below,
    pick: (from) => from[below(from.length)] as (typeof from)[number],
    shuffle: (things) => {
      const rest = [...things];
      const mixed: (typeof rest)[number][] = [];
      while (rest.length > 0) mixed.push(...rest.splice(below(rest.length), 1));
      return mixed;
    },
  };
}
