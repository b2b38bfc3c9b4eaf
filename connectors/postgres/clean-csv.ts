import { createRowBatch } from "deskbridge/sdk";
import type { Row, RowBatch } from "deskbridge/sdk";

/**
 * A batch as CSV that PostgreSQL takes, in chunks. Its text cannot hold the character of value zero, nor its JSON half of a character that JavaScript cuts in two: U+FFFD
 * stands in their place, as they say nothing to anybody. All other bytes are as they came; they are looked at only where one of these may be among them.
 */
export function cleanCsv(batch: RowBatch): readonly Buffer[] {
  const hasJson = batch.columns.some(({ type }) => type === "json");
  // An escape may stand where two chunks meet.
  const chunks = hasJson ? [batch.csv()] : batch.csvChunks();
  if (!chunks.some((chunk) => chunk.includes(0) || (hasJson && hasEscape(chunk)))) return chunks;
  const rows = batch.rows().map((row) => cleaned(row) as Row);
  return createRowBatch(batch.columns, rows).csvChunks();
}

function hasEscape(csv: Buffer): boolean {
  return ["\\u0000", "\\ud", "\\uD"].some((escape) => csv.includes(escape));
}

function cleaned(value: unknown): unknown {
  if (typeof value === "string") return value.replaceAll("\0", "\ufffd").toWellFormed();
  if (Array.isArray(value)) return value.map(cleaned);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [cleaned(name) as string, cleaned(inner)]),
  );
}
