import { createDice } from "../../demo/day/dice.ts";

/** How often a vendor's webhook sender misbehaves, each in [0, 1]. */
export interface SenderFaults {
  /** The same delivery comes again, some places later. */
  readonly duplicated: number;
  /** A delivery changes places with the next one. */
  readonly reordered: number;
}

/** The deliveries as a misbehaving sender makes them; the same seed gives the same order. None is left out. */
export function misdelivered<T>(deliveries: readonly T[], faults: SenderFaults, seed: string): readonly T[] {
  const dice = createDice(`sender faults ${seed}`);
  const happens = (rate: number): boolean => dice.below(1_000_000) < rate * 1_000_000;
  const sent = [...deliveries];
  for (let index = 0; index + 1 < sent.length; index += 1) {
    if (happens(faults.reordered)) sent.splice(index, 2, sent[index + 1] as T, sent[index] as T);
  }
  for (const delivery of deliveries) {
    if (!happens(faults.duplicated)) continue;
    const after = sent.indexOf(delivery) + 1;
    sent.splice(after + dice.below(sent.length - after + 1), 0, delivery);
  }
  return sent;
}
