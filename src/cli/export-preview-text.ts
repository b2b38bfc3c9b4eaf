import { stripVTControlCharacters } from "node:util";
import type { Column } from "../model/dataset.ts";
import type { Row } from "../sdk/row-batch.ts";
import type { Paint } from "./table.ts";
import { clip, formatTable } from "./table.ts";

const longestCell = 200;
const unknownWidth = 100;

/** Rows as a table where the terminal is wide enough for one, else each row as a list of its values. */
export function previewText(
  columns: readonly Column[],
  rows: readonly Row[],
  paint: Paint,
  width: number | undefined,
): string {
  const cells = rows.map((row) => columns.map(({ name }) => valueText(row[name], paint)));
  const isNumeric = ({ type }: Column): boolean => type === "integer" || type === "number";
  const table = formatTable(
    columns.map((column) => ({ title: column.name, numeric: isNumeric(column) })),
    cells,
  );
  const widest = Math.max(...table.split("\n").map((line) => stripVTControlCharacters(line).length));
  if (widest <= (width || unknownWidth)) return table;
  const longest = Math.max(...columns.map(({ name }) => name.length));
  return cells
    .map((values, row) =>
      [
        paint.strong(`row ${row + 1}`),
        ...values.map((value, index) => `  ${(columns[index]?.name ?? "").padEnd(longest)}  ${value}`),
      ].join("\n"),
    )
    .join("\n\n");
}

function valueText(value: unknown, paint: Paint): string {
  if (value === null || value === undefined) return paint.faint("null");
  if (typeof value === "string") return value === "" ? paint.faint('""') : clip(value, longestCell);
  return clip(JSON.stringify(value), longestCell);
}
