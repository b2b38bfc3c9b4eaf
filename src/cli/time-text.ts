/** A length of time for people, to the precision that matters: `45 ms`, `1.2 s`, `4 min`, `3.5 h`, `12 d`. */
export function durationText(ms: number): string {
  const size = Math.abs(ms);
  if (size < 1000) return `${Math.round(ms)} ms`;
  if (size < 10_000) return `${(ms / 1000).toFixed(1)} s`;
  if (size < 120_000) return `${Math.round(ms / 1000)} s`;
  if (size < 7_200_000) return `${Math.round(ms / 60_000)} min`;
  if (size < 172_800_000) return `${(ms / 3_600_000).toFixed(1)} h`;
  return `${Math.round(ms / 86_400_000)} d`;
}

/** How long ago something was, by two times in milliseconds since the epoch. */
export function agoText(then: number, now: number): string {
  return now - then < 1000 ? "just now" : `${durationText(now - then)} ago`;
}
