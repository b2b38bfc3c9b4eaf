import type { Column, ColumnType } from "../model/dataset.ts";
import { AppError } from "../errors.ts";
import type { Row } from "./row-batch.ts";

const quote = 0x22;
const lineFeed = 0x0a;

/** A row's line with its line feed, as `RowBatch.csv` says. Columns that the row has no value for are null. */
export function formatCsvRow(columns: readonly Column[], row: Row): string {
  return `${columns.map(({ name, type }) => formatField(type, row[name])).join(",")}\n`;
}

function formatField(type: ColumnType, value: unknown): string {
  // JSON's own null is the text `null`; a column that has nothing is empty.
  if (value === null || value === undefined) return "";
  if (type === "boolean") return value === true ? "t" : "f";
  const text = type === "json" || typeof value !== "string" ? JSON.stringify(value) : value;
  // A line of `\.` alone ends the data for a PostgreSQL before 18, unless it is quoted.
  return text === "" || text === "\\." || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** The rows that CSV holds. Throws `target_protocol` for text that is not as `RowBatch.csv` says. */
export function parseCsv(columns: readonly Column[], csv: Buffer): Row[] {
  const text = csv.toString("utf8");
  const rows: Row[] = [];
  let at = 0;
  while (at < text.length) {
    const row: Record<string, unknown> = {};
    for (const [index, column] of columns.entries()) {
      const field = readField(text, at);
      row[column.name] = parseField(column, field.text);
      at = field.end;
      const ends = text[at] === "\n";
      if (ends !== (index === columns.length - 1) || (!ends && text[at] !== ",")) {
        throw broken(`row ${rows.length + 1} does not have ${columns.length} fields`);
      }
      at += 1;
    }
    rows.push(row);
  }
  return rows;
}

/** The field that begins at a place: null where it is empty and without quotes. `end` is the place of what comes after it. */
function readField(text: string, from: number): { readonly text: string | null; readonly end: number } {
  if (text[from] !== '"') {
    let end = from;
    while (end < text.length && text[end] !== "," && text[end] !== "\n") end += 1;
    return { text: end === from ? null : text.slice(from, end), end };
  }
  let end = from + 1;
  for (;;) {
    end = text.indexOf('"', end);
    if (end === -1) throw broken("a quoted field has no end");
    if (text[end + 1] !== '"') break;
    end += 2;
  }
  return { text: text.slice(from + 1, end).replaceAll('""', '"'), end: end + 1 };
}

function parseField({ name, type }: Column, text: string | null): unknown {
  if (text === null) return null;
  switch (type) {
    case "string":
    case "date":
      return text;
    case "integer":
    case "number": {
      const value = Number(text);
      if (text.trim() === "" || Number.isNaN(value)) throw broken(`column ${name} holds no number`);
      return value;
    }
    case "boolean":
      return text === "t" || text === "true";
    case "timestamp":
      return canonicalTimestamp(text);
    case "json":
      try {
        return JSON.parse(text) as unknown;
      } catch (cause) {
        throw broken(`column ${name} holds no JSON`, cause);
      }
  }
}

const timestampText = /^(\d{4,6}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(?:Z|[+-]00(?::?00)?)?$/;

/** An instant as `2026-11-27T13:11:08.5Z`: RFC 3339 UTC, with as much of a fraction as it needs. Takes PostgreSQL's form as well. */
export function canonicalTimestamp(text: string): string {
  const [, day, time, fraction = ""] = timestampText.exec(text) ?? [];
  if (day === undefined || time === undefined) throw broken("a timestamp is not one in UTC");
  const digits = fraction.replace(/0+$/, "");
  return digits === "" ? `${day}T${time}Z` : `${day}T${time}.${digits}Z`;
}

function broken(what: string, cause?: unknown): AppError {
  return new AppError("target_protocol", `rows cannot be read: ${what}`, { cause });
}

/** Whole rows out of a stream of CSV, in the chunks that they came in: they begin and end anywhere but for the first and the last. */
export interface CsvCut {
  readonly csv: readonly Buffer[];
  readonly count: number;
}

/**
 * Cuts a stream of CSV into pieces of whole rows, each of about `pieceBytes`; a row that is larger is a piece of its own. Looks at quotes and line feeds only,
 * and copies nothing. Throws `target_protocol` when the stream ends within a row. A fault of the stream goes through.
 */
export async function* cutCsv(
  stream: AsyncIterable<Buffer>,
  pieceBytes = 4 * 1024 ** 2,
): AsyncGenerator<CsvCut> {
  let heldBytes = 0;
  let count = 0;
  const state = { inQuotes: false };
  // Where the last whole row ends, reckoned from the beginning of what is held.
  let end = 0;
  let chunks: Buffer[] = [];
  for await (const chunk of stream) {
    const seen = scanRows(chunk, state);
    if (seen.rows > 0) end = heldBytes + seen.end;
    count += seen.rows;
    chunks.push(chunk);
    heldBytes += chunk.length;
    if (heldBytes < pieceBytes || count === 0) continue;
    const [whole, rest] = splitAt(chunks, end);
    yield { csv: whole, count };
    chunks = rest;
    heldBytes -= end;
    count = 0;
    end = 0;
  }
  if (end !== heldBytes) throw broken("they break off within a row");
  if (count > 0) yield { csv: chunks, count };
}

/** Chunks before and after a place. */
function splitAt(chunks: readonly Buffer[], place: number): readonly [Buffer[], Buffer[]] {
  const before: Buffer[] = [];
  const after: Buffer[] = [];
  let at = 0;
  for (const chunk of chunks) {
    const own = Math.min(Math.max(place - at, 0), chunk.length);
    if (own > 0) before.push(chunk.subarray(0, own));
    if (own < chunk.length) after.push(chunk.subarray(own));
    at += chunk.length;
  }
  return [before, after];
}

/** How many rows end in a chunk and where the last of them does. A doubled quote within a field closes and opens it again, so counting them is enough. */
function scanRows(
  chunk: Buffer,
  state: { inQuotes: boolean },
): { readonly rows: number; readonly end: number } {
  let rows = 0;
  let end = 0;
  let at = 0;
  let feed = chunk.indexOf(lineFeed);
  while (at < chunk.length) {
    const nextQuote = chunk.indexOf(quote, at);
    const stop = nextQuote === -1 ? chunk.length : nextQuote;
    // A place that is known already is not looked for again: rows with many quoted fields would cost their square.
    if (feed !== -1 && feed < at) feed = chunk.indexOf(lineFeed, at);
    while (!state.inQuotes && feed !== -1 && feed < stop) {
      rows += 1;
      end = feed + 1;
      feed = chunk.indexOf(lineFeed, end);
    }
    if (nextQuote === -1) break;
    state.inQuotes = !state.inQuotes;
    at = nextQuote + 1;
  }
  return { rows, end };
}
