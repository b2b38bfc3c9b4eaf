import type { TargetTicket } from "./target.ts";

/** What is wrong on the target's side; all 0 when every operation took effect once, in order. */
export interface Verdict {
  readonly lost: number;
  readonly duplicated: number;
  readonly outOfOrder: number;
  /** What was found, a line each, for whoever looks into it. */
  readonly findings: readonly string[];
}

/** Compares what the tickets should say, by key and in order, with what the target holds. */
export function judge(
  expected: ReadonlyMap<string, readonly string[]>,
  tickets: readonly TargetTicket[],
): Verdict {
  const findings: string[] = [];
  let lost = 0;
  let duplicated = 0;
  let outOfOrder = 0;
  const byKey = Map.groupBy(tickets, ({ key }) => key);
  for (const [key, wanted] of expected) {
    const own = byKey.get(key) ?? [];
    byKey.delete(key);
    const there = own.flatMap(({ messages }) => messages);
    const firsts = [...new Set(there)];
    const missing = wanted.filter((text) => !there.includes(text)).length;
    const surplus = there.length - firsts.length + Math.max(0, own.length - 1);
    const strange = firsts.filter((text) => !wanted.includes(text)).length;
    const places = firsts.map((text) => wanted.indexOf(text)).filter((place) => place >= 0);
    const swapped = places.filter((place, index) => index > 0 && place < (places[index - 1] ?? -1)).length;
    lost += missing;
    duplicated += surplus + strange;
    outOfOrder += swapped;
    if (missing + surplus + strange + swapped > 0) {
      findings.push(
        `${key}: wanted ${wanted.join(" | ")}; there is ${own.map(({ messages }) => `[${messages.join(" | ")}]`).join(" ")}`,
      );
    }
  }
  for (const [key, own] of byKey) {
    duplicated += own.length;
    findings.push(`${key}: nobody asked for this ticket`);
  }
  return { lost, duplicated, outOfOrder, findings };
}
