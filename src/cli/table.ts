import { stripVTControlCharacters, styleText } from "node:util";
import Table from "cli-table3";
import type { CliSurroundings } from "./context.ts";

/** Marks up text for a terminal; leaves it alone in a pipe, and where the reader wants no colour (`NO_COLOR`). */
export interface Paint {
  readonly good: (text: string) => string;
  readonly bad: (text: string) => string;
  readonly warning: (text: string) => string;
  readonly faint: (text: string) => string;
  readonly strong: (text: string) => string;
}

type Style = Parameters<typeof styleText>[0];

export function createPaint({ stdout, variables }: CliSurroundings): Paint {
  const wanted = stdout.isTTY === true && (variables["NO_COLOR"] ?? "") === "";
  const style =
    (format: Style) =>
    (text: string): string =>
      wanted ? styleText(format, text, { validateStream: false }) : text;
  return {
    good: style("green"),
    bad: style("red"),
    warning: style("yellow"),
    faint: style("dim"),
    strong: style("bold"),
  };
}

/** One column: its heading, and what it holds. */
export interface Column {
  readonly title: string;
  /** Numbers stand to the right. */
  readonly numeric?: boolean;
  /** Long text, broken into lines where the terminal is too narrow. */
  readonly long?: boolean;
}

export type Cell = string | number;

const noLines = {
  top: "",
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  bottom: "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
  left: "",
  "left-mid": "",
  mid: "",
  "mid-mid": "",
  right: "",
  "right-mid": "",
  middle: "  ",
};

const gap = noLines.middle.length;
const narrowest = 16;

/**
 * Rows under headings, two spaces between columns, no lines: fit for a terminal and for `grep`. Long columns share what the others leave of
 * `width`; without a width every row is one line.
 */
export function formatTable(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  width?: number,
): string {
  const texts = rows.map((row) => row.map(cellText));
  const longest = longColumnWidth(columns, texts, width);
  const table = new Table({
    head: columns.map((column) => column.title),
    colAligns: columns.map((column) => (column.numeric === true ? "right" : "left")),
    chars: noLines,
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
  });
  for (const row of texts) {
    table.push(row.map((text, index) => (columns[index]?.long === true ? wrap(text, longest) : text)));
  }
  const lines = table.toString().split("\n");
  return lines.map((line) => line.trimEnd()).join("\n");
}

/** The most that a long column may take; without end where everything fits. */
function longColumnWidth(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width: number | undefined,
): number {
  const natural = columns.map(({ title }, index) =>
    Math.max(title.length, ...rows.map((row) => stripVTControlCharacters(row[index] ?? "").length)),
  );
  const longs = columns.flatMap(({ long }, index) => (long === true ? [natural[index] ?? 0] : []));
  const sum = (sizes: readonly number[]): number => sizes.reduce((total, size) => total + size, 0);
  const taken = sum(natural) - sum(longs) + gap * (columns.length - 1);
  // A terminal that does not know its width says 0.
  if (width === undefined || width === 0 || taken + sum(longs) <= width) return Infinity;
  return Math.max(narrowest, Math.floor((width - taken) / longs.length));
}

/** Breaks between words where it can, and within a word that is too long for a line: nothing is cut off. */
function wrap(text: string, width: number): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (longer.length <= width) {
      line = longer;
      continue;
    }
    if (line !== "") lines.push(line);
    line = word;
    while (line.length > width) {
      lines.push(line.slice(0, width));
      line = line.slice(width);
    }
  }
  return [...lines, line].join("\n");
}

function cellText(cell: Cell): string {
  return typeof cell === "number" ? cell.toLocaleString("en-US") : cell;
}

/** What a cell has no room for is cut: the whole text is in `--json`. */
export function clip(text: string, length: number): string {
  const flat = oneLine(text);
  return flat.length <= length ? flat : `${flat.slice(0, length - 1)}…`;
}

/** Text from outside, fit for a terminal: on one line, without control characters. */
export function oneLine(text: string): string {
  return text.replace(/[\s\p{Cc}]+/gu, " ").trim();
}

/** `1 flow`, `2 flows`, `1,200 flows`. */
export function countOf(count: number, noun: string, plural = `${noun}s`): string {
  return `${count.toLocaleString("en-US")} ${count === 1 ? noun : plural}`;
}
