import { expect, it } from "vitest";
import { cleanCsv } from "../../connectors/postgres/clean-csv.ts";
import { createCsvBatch } from "../../src/sdk/index.ts";
import { valuesTable } from "../../src/sdk/testing/sink-table.ts";

const columnsOf = (...names: readonly string[]) =>
  valuesTable.columns.filter(({ name }) => names.includes(name));

it("rows without anything that PostgreSQL refuses stay in the very chunks that they came in", () => {
  const chunks = ["a,te", "xt\nb,", "\n"].map((text) => Buffer.from(text));
  const cleaned = cleanCsv(createCsvBatch(columnsOf("id", "text"), chunks, 2));
  expect(cleaned).toHaveLength(3);
  for (const [index, chunk] of cleaned.entries()) expect(chunk).toBe(chunks[index]);
});

it("a character of value zero is replaced in whatever chunk it came", () => {
  const chunks = ["a,te", "xt\nb,\0", "c\n"].map((text) => Buffer.from(text));
  const cleaned = cleanCsv(createCsvBatch(columnsOf("id", "text"), chunks, 2));
  expect(Buffer.concat(cleaned).toString()).toBe("a,text\nb,\ufffdc\n");
});

it("half of a character in JSON is found also where two chunks meet in the midst of it", () => {
  const chunks = ['a,"{""x"":""\\u', "00", "00 \\u", 'd83d""}"\n'].map((text) => Buffer.from(text));
  const cleaned = cleanCsv(createCsvBatch(columnsOf("id", "data"), chunks, 1));
  expect(Buffer.concat(cleaned).toString()).toBe('a,"{""x"":""\ufffd \ufffd""}"\n');
});
