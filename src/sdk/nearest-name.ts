import { distance } from "fastest-levenshtein";

/** The known name that a misspelt one was probably meant to be, or undefined when none is close enough to be worth naming. */
export function nearestName(name: string, known: Iterable<string>): string | undefined {
  const wanted = name.toLowerCase();
  let best: string | undefined;
  let bestDistance = (wanted.length < 4 ? 1 : Math.max(2, Math.floor(wanted.length / 3))) + 1;
  for (const candidate of known) {
    const steps = stepsBetween(wanted, candidate.toLowerCase());
    if (steps < bestDistance) [best, bestDistance] = [candidate, steps];
  }
  return best;
}

// Letters in the wrong order are one slip of the fingers, though each counts as a change.
function stepsBetween(wanted: string, candidate: string): number {
  const inOrder = (word: string) => word.split("").toSorted().join("");
  return Math.min(distance(wanted, candidate), inOrder(wanted) === inOrder(candidate) ? 1 : Infinity);
}

/** " Did you mean `x`?" for the nearest of the known names, or an empty string when none is near. */
export function didYouMean(name: string, known: Iterable<string>): string {
  const nearest = nearestName(name, known);
  return nearest === undefined ? "" : ` Did you mean \`${nearest}\`?`;
}
