import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cellsOf } from "./cell.ts";
import { points } from "./points.ts";
import type { Report, TableRow } from "./report.ts";
import { rowsOf, tableOf } from "./report.ts";
import { scenarioNames, scenariosOf } from "./scenarios.ts";

const pagePath = join(import.meta.dirname, "../docs/reference/guarantees.md");
const begin = "<!-- crash-matrix begin -->";
const end = "<!-- crash-matrix end -->";

/** What is published: the table, and of which runs it is. */
export interface Published {
  readonly rows: readonly TableRow[];
  readonly seeds: readonly string[];
  readonly seconds: number;
}

/** What the page says now. Throws when a mark is missing. */
export function published(): Published {
  return parsePublished(readFileSync(pagePath, "utf8"));
}

/** Puts the rows of a report into the page, each in the place of the one of its name; the others stay. */
export function publish(report: Report): void {
  const page = readFileSync(pagePath, "utf8");
  const [from, to] = placeIn(page);
  const text = formatPublished(merge(parsePublished(page), report));
  writeFileSync(pagePath, `${page.slice(0, from)}\n\n${text}\n\n${page.slice(to)}`);
}

/** Point or scenario, target and queue of every row that there is to be, in the order of the page. */
export function rowNames(): readonly string[] {
  const cells = cellsOf(points).map(({ point, target, queue }) => [point, target, queue]);
  const scenarios = scenariosOf(scenarioNames).map(({ name, target, queue }) => [name, target, queue]);
  return [...cells, ...scenarios].map((names) => names.join(" "));
}

export function nameOf(row: TableRow): string {
  return row.slice(0, 3).join(" ");
}

/** What was published with the rows of a report in it; rows of points that there are no more are left out. */
export function merge(before: Published, report: Report): Published {
  const fresh = new Map(rowsOf(report).map((row) => [nameOf(row), row]));
  const kept = new Map(before.rows.map((row) => [nameOf(row), row]));
  const names = rowNames();
  const isWhole = names.every((name) => fresh.has(name));
  return {
    rows: names.flatMap((name) => {
      const row = fresh.get(name) ?? kept.get(name);
      return row === undefined ? [] : [row];
    }),
    seeds: isWhole ? [report.seed] : [...new Set([...before.seeds, report.seed])],
    seconds: report.seconds + (isWhole ? 0 : before.seconds),
  };
}

export function parsePublished(page: string): Published {
  const part = page.slice(...placeIn(page));
  const lines = part.split("\n").filter((line) => /^\|.*\d \|$/.test(line));
  return {
    rows: lines.map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    ),
    seeds: [...part.matchAll(/`([^`]+)`/g)].map(([, seed = ""]) => seed),
    seconds: Number(/(\d+) s, seeds? /.exec(part)?.[1] ?? 0),
  };
}

export function formatPublished({ rows, seeds, seconds }: Published): string {
  const scenarios = new Set<string>(scenarioNames);
  const names = new Set(rows.map(([name = ""]) => name));
  const ofScenarios = [...names].filter((name) => scenarios.has(name)).length;
  const sum = (column: number): number => rows.reduce((total, row) => total + Number(row[column]), 0);
  const counts = `${sum(3)} runs at ${names.size - ofScenarios} points and in ${ofScenarios} scenarios, ${sum(4)} events`;
  const wrong = `${sum(5)} lost, ${sum(6)} doubled, ${sum(7)} out of order`;
  const shown = seeds.map((seed) => `\`${seed}\``).join(", ");
  return `${counts}: ${wrong}; ${seconds} s, seed${seeds.length > 1 ? "s" : ""} ${shown}.\n\n${tableOf(rows)}`;
}

/** Where in the page what is published stands: behind the first mark, up to the second. */
function placeIn(page: string): readonly [number, number] {
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${pagePath} has no place for the table`);
  return [from + begin.length, to];
}
