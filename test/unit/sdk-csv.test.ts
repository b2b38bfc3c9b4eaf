import fc from "fast-check";
import { Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import type { Column, ColumnType } from "../../src/model/dataset.ts";
import type { CsvCut } from "../../src/sdk/csv.ts";
import { canonicalTimestamp, cutCsv } from "../../src/sdk/csv.ts";
import { createCsvBatch, createRowBatch } from "../../src/sdk/row-batch.ts";
import type { Row } from "../../src/sdk/row-batch.ts";

const columnTypes: readonly ColumnType[] = [
  "string",
  "integer",
  "number",
  "boolean",
  "timestamp",
  "date",
  "json",
];
const columns: readonly Column[] = columnTypes.map((type) => ({
  name: `a_${type}`,
  type,
  nullable: true,
  description: type,
}));

const text = fc.string({
  unit: fc.oneof(fc.constantFrom('"', ",", "\n", "\r", "\\", "é", "😀"), fc.string()),
});
const instant = fc
  .tuple(
    fc.date({ min: new Date("1970-01-01"), max: new Date("2200-01-01"), noInvalidDate: true }),
    fc.nat(999),
  )
  .map(([date, micros]) =>
    canonicalTimestamp(date.toISOString().replace("Z", `${String(micros).padStart(3, "0")}Z`)),
  );
const values = {
  a_string: text,
  a_integer: fc.maxSafeInteger(),
  a_number: fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0),
  a_boolean: fc.boolean(),
  a_timestamp: instant,
  a_date: instant.map((time) => time.slice(0, 10)),
  a_json: fc.jsonValue().filter((value) => value !== null),
};
const rowArbitrary = fc.record(
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, fc.option(value)])),
) as fc.Arbitrary<Row>;

/** JSON knows no -0. */
const plain = (rows: readonly Row[]): unknown => JSON.parse(JSON.stringify(rows));

describe("rows as CSV", () => {
  it("come back as they were, whatever they hold", () => {
    fc.assert(
      fc.property(fc.array(rowArbitrary, { maxLength: 20 }), (rows) => {
        const csv = createRowBatch(columns, rows).csv();
        expect(plain(createCsvBatch(columns, csv, rows.length).rows())).toEqual(plain(rows));
      }),
    );
  });

  it("tell nothing from the empty text", () => {
    const [, second] = columns;
    const two = [
      { ...columns[0]!, name: "one" },
      { ...second!, name: "two" },
    ];
    const batch = createRowBatch(two, [
      { one: null, two: 1 },
      { one: "", two: null },
    ]);
    expect(batch.csv().toString()).toBe(',1\n"",\n');
    expect(createCsvBatch(two, batch.csv(), 2).rows()).toEqual(batch.rows());
  });

  it("are refused where a field is missing, a quote has no end or a value is not of its type", () => {
    const two = [
      { name: "a", type: "string", nullable: true, description: "" },
      { name: "b", type: "integer", nullable: true, description: "" },
    ] as const;
    const faults = ["x\n", "x,1,2\n", "x,1", '"x,1\n', "x,y\n", '"x"y,1\n'];
    for (const csv of faults) {
      expect(() => createCsvBatch(two, Buffer.from(csv), 1).rows()).toThrow(
        expect.objectContaining({ code: "target_protocol" }),
      );
    }
  });

  it("keep no personal data in the error about them", () => {
    const one = [{ name: "a", type: "json", nullable: true, description: "" }] as const;
    const parse = (): unknown => createCsvBatch(one, Buffer.from("jane@example.com\n"), 1).rows();
    expect(parse).toThrow("column a holds no JSON");
    expect(parse).not.toThrow("jane");
  });
});

describe("a timestamp", () => {
  it.each([
    ["2026-11-27 13:11:08.123456+00", "2026-11-27T13:11:08.123456Z"],
    ["2026-11-27 13:11:08.120000+00", "2026-11-27T13:11:08.12Z"],
    ["2026-11-27 13:11:08+00:00", "2026-11-27T13:11:08Z"],
    ["2026-11-27T13:11:08.000Z", "2026-11-27T13:11:08Z"],
  ])("%s is %s", (given, canonical) => {
    expect(canonicalTimestamp(given)).toBe(canonical);
  });

  it("with another offset than UTC's is refused", () => {
    expect(() => canonicalTimestamp("2026-11-27T13:11:08+01:00")).toThrow("not one in UTC");
  });
});

describe("a stream of CSV", () => {
  it("is cut at the ends of rows, however it came in pieces", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(rowArbitrary, { minLength: 1, maxLength: 30 }),
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 400 }),
        async (rows, chunkBytes, pieceBytes) => {
          const csv = createRowBatch(columns, rows).csv();
          const pieces = await cutAll(chunksOf(csv, chunkBytes), pieceBytes);
          expect(Buffer.concat(pieces.flatMap((piece) => piece.csv)).equals(csv)).toBe(true);
          const parsed = pieces.map((piece) => createCsvBatch(columns, piece.csv, piece.count).rows());
          expect(parsed.map((some) => some.length)).toEqual(pieces.map((piece) => piece.count));
          expect(plain(parsed.flat())).toEqual(plain(rows));
        },
      ),
    );
  });

  it("that breaks off within a row is refused", async () => {
    await expect(cutAll([Buffer.from("1,2\n3,")], 100)).rejects.toMatchObject({ code: "target_protocol" });
    await expect(cutAll([Buffer.from('1,"2\n')], 100)).rejects.toMatchObject({ code: "target_protocol" });
  });

  it("that is empty has no pieces", async () => {
    expect(await cutAll([], 100)).toEqual([]);
  });
});

function chunksOf(csv: Buffer, bytes: number): Buffer[] {
  const count = Math.ceil(csv.length / bytes);
  return Array.from({ length: count }, (_, index) => csv.subarray(index * bytes, (index + 1) * bytes));
}

async function cutAll(chunks: readonly Buffer[], pieceBytes: number): Promise<CsvCut[]> {
  const pieces: CsvCut[] = [];
  for await (const piece of cutCsv(Readable.from(chunks), pieceBytes)) pieces.push(piece);
  return pieces;
}
