import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Report } from "./report.ts";
import { tableOf } from "./report.ts";

export const pagePath = join(import.meta.dirname, "../docs/reference/guarantees.md");
const begin = "<!-- crash-matrix begin -->";
const end = "<!-- crash-matrix end -->";

/** Replaces what stands between the marks of the page by the table of a report. Throws when a mark is missing. */
export function publish(report: Report): void {
  const page = readFileSync(pagePath, "utf8");
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${pagePath} has no place for the table`);
  const { points, scenarios, runs, events, lost, duplicated, outOfOrder, seconds, seed } = report;
  const sums = `${runs} runs at ${points} points and in ${scenarios} scenarios, ${events} events: ${lost} lost, ${duplicated} doubled, ${outOfOrder} out of order; ${seconds} s, seed \`${seed}\`.`;
  const text = `${page.slice(0, from)}${begin}\n\n${sums}\n\n${tableOf(report)}\n\n${page.slice(to)}`;
  writeFileSync(pagePath, text);
}

/** Names, targets and queues of the published rows. */
export function publishedRows(): readonly (readonly string[])[] {
  const page = readFileSync(pagePath, "utf8");
  const table = page.slice(page.indexOf(begin), page.indexOf(end));
  const rows = table.split("\n").filter((line) => /^\|.*\d \|$/.test(line));
  return rows.map((row) =>
    row
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}
