import { distance } from "fastest-levenshtein";

/** The known name that a misspelt one was probably meant to be, or undefined when none is close enough to be worth naming. */
export function nearestName(name: string, known: Iterable<string>): string | undefined {
  const wanted = name.toLowerCase();
  let best: string | undefined;
  // Two letters swapped are two steps: what is too short for that is told apart by one.
  let bestDistance = (wanted.length < 4 ? 1 : Math.max(2, Math.floor(wanted.length / 3))) + 1;
  for (const candidate of known) {
    const steps = distance(wanted, candidate.toLowerCase());
    if (steps < bestDistance) [best, bestDistance] = [candidate, steps];
  }
  return best;
}

/** " Did you mean `x`?" for the nearest of the known names, or an empty string when none is near. */
export function didYouMean(name: string, known: Iterable<string>): string {
  const nearest = nearestName(name, known);
  return nearest === undefined ? "" : ` Did you mean \`${nearest}\`?`;
}
