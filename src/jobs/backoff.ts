const firstMs = 1000;
const longestMs = 3_600_000;

/** Attempts before a delivery becomes a dead letter; with the pauses below that is about a day. */
export const maxAttempts = 50;

/** The pause before the next attempt: full jitter up to a ceiling that doubles from one second to an hour. `random` is in [0, 1). */
export function backoffMs(attempts: number, random: () => number): number {
  const ceiling = Math.min(longestMs, firstMs * 2 ** Math.min(attempts - 1, 30));
  return Math.max(250, Math.floor(random() * ceiling));
}
