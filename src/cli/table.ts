import { styleText } from "node:util";
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

/** One column: its heading, and whether it is of numbers, which stand to the right. */
export interface Column {
  readonly title: string;
  readonly numeric?: boolean;
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

/** Rows under headings, two spaces between columns, no lines: fit for a terminal and for `grep`. */
export function formatTable(columns: readonly Column[], rows: readonly (readonly Cell[])[]): string {
  const table = new Table({
    head: columns.map((column) => column.title),
    colAligns: columns.map((column) => (column.numeric === true ? "right" : "left")),
    chars: noLines,
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
  });
  for (const row of rows) {
    table.push(row.map((cell) => (typeof cell === "number" ? cell.toLocaleString("en-US") : oneLine(cell))));
  }
  const lines = table.toString().split("\n");
  return lines.map((line) => line.trimEnd()).join("\n");
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
