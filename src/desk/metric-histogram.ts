// Durations in whole seconds fall into bins: one for each second below 128, then 64 for each doubling. The middle of a bin is within 1/128 of
// every duration in it, which is the error of a percentile.

const exactSeconds = 128;
const binsPerDoubling = 64;
const longestSeconds = 2 ** 31 - 1;

/** How many bins there are, for durations of up to 68 years. */
export const binCount = exactSeconds + 24 * binsPerDoubling;

/** The bin of a duration in seconds. Less than nothing is nothing, and more than 68 years is 68 years. */
export function binOf(seconds: number): number {
  const whole = Math.min(Math.max(Math.floor(seconds), 0), longestSeconds);
  if (whole < exactSeconds) return whole;
  const doublings = 25 - Math.clz32(whole);
  return exactSeconds + (doublings - 1) * binsPerDoubling + (whole >>> doublings) - binsPerDoubling;
}

/** The seconds that stand for a bin. */
export function secondsOf(bin: number): number {
  if (bin < exactSeconds) return bin;
  const doublings = Math.floor((bin - exactSeconds) / binsPerDoubling) + 1;
  const place = ((bin - exactSeconds) % binsPerDoubling) + binsPerDoubling;
  return (2 * place + 1) * (1 << (doublings - 1));
}
