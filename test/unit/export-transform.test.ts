import { createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import { createTransform } from "../../src/export/transform.ts";
import { formatPlace, parsePlace } from "../../src/export/watermark.ts";
import { datasetCatalogue } from "../../src/model/dataset-catalogue.ts";
import { createCsvBatch, createRowBatch } from "../../src/sdk/row-batch.ts";
import type { RowChange } from "../../src/sdk/row-batch.ts";
import { exportConfig, ticketRow } from "../support/export-stand.ts";

async function transformOf(text: string) {
  const [table] = (await exportConfig(text)).tables;
  if (table === undefined) throw new Error("there is no table");
  const transform = createTransform(table);
  const rowsOf = (change: RowChange) =>
    transform(change).map(({ kind, batch }) => [kind, batch.columns.map(({ name }) => name), batch.rows()]);
  return { table, transform, rowsOf };
}

const hash = (text: string): string =>
  createHmac("sha256", "a key of sixteen bytes").update(text).digest("hex");

describe("rows on their way to a table", () => {
  it("go through as the CSV that they came as where nothing is to be done to them", async () => {
    const { table, transform } = await transformOf("datasets: [tickets]");
    const made = createRowBatch(table.read, [ticketRow("tkt_1")]);
    const batch = createCsvBatch(table.read, made.csv(), 1);
    expect(transform({ kind: "upsert", batch })[0]?.batch).toBe(batch);
    const gone = createRowBatch(
      table.read.filter(({ name }) => name === "id"),
      [{ id: "tkt_1" }],
    );
    expect(transform({ kind: "delete", batch: gone })[0]?.batch).toBe(gone);
    expect(transform({ kind: "upsert", batch: createRowBatch(table.read, []) })).toEqual([]);
  });

  it("have the table's columns in its order, whatever else the source gives", async () => {
    const { rowsOf } = await transformOf("datasets: [{ name: tickets, columns: [status] }]");
    const columns = datasetCatalogue.tickets.columns.toReversed();
    const batch = createRowBatch(columns, [ticketRow("tkt_1")]);
    expect(rowsOf({ kind: "upsert", batch })).toEqual([
      [
        "upsert",
        ["id", "status", "created_at"],
        [{ id: "tkt_1", status: "open", created_at: "2026-11-01T10:00:00Z" }],
      ],
    ]);
  });

  it("are refused where the source leaves a column out", async () => {
    const { transform } = await transformOf("datasets: [tickets]");
    const columns = datasetCatalogue.tickets.columns.filter(({ name }) => name !== "status");
    expect(() => transform({ kind: "upsert", batch: createRowBatch(columns, [ticketRow("a")]) })).toThrow(
      expect.objectContaining({ code: "target_protocol" }),
    );
  });

  it("are deleted where the filter does not take them, and the last of several changes of one row counts", async () => {
    const { table, rowsOf } = await transformOf(
      `datasets: [{ name: tickets, columns: [status], where: 'row.reason == "late"' }]`,
    );
    const row = (id: string, status: string, reason: string | null) => ticketRow(id, { status, reason });
    const rows = [
      row("a", "open", "late"),
      row("b", "open", null),
      row("c", "open", "late"),
      row("c", "solved", "lost"),
      row("d", "open", "lost"),
      row("d", "solved", "late"),
    ];
    const created = { created_at: "2026-11-01T10:00:00Z" };
    expect(rowsOf({ kind: "upsert", batch: createRowBatch(table.read, rows) })).toEqual([
      [
        "upsert",
        ["id", "status", "created_at"],
        [
          { id: "a", status: "open", ...created },
          { id: "d", status: "solved", ...created },
        ],
      ],
      ["delete", ["id"], [{ id: "b" }, { id: "c" }]],
    ]);
  });

  it("that a filter fails on stop the export, with the place in the configuration and nothing of the row", async () => {
    const { table, transform } = await transformOf(
      `datasets: [{ name: tickets, where: "row.custom_fields.age > 3" }]`,
    );
    const rows = [ticketRow("a", { custom_fields: { age: "a secret" } })];
    expect(() => transform({ kind: "upsert", batch: createRowBatch(table.read, rows) })).toThrow(
      expect.objectContaining({
        code: "mapping_failed",
        message: expect.stringMatching(
          /^test\.yaml:2:\d+ .*where — `row\.custom_fields\.age > 3` failed/,
        ) as string,
      }),
    );
  });

  it("have hashes of texts, and of JSON whatever the order of its keys; nothing stays nothing", async () => {
    const { table, rowsOf } = await transformOf(
      `datasets: [{ name: tickets, columns: [subject, custom_fields, csat_comment] }], personal: { content: hash, hashKey: "\${KEY}" }`,
    );
    const rows = [
      ticketRow("a", { subject: "Where is it?", custom_fields: { b: [1, { d: 1, c: 2 }], a: null } }),
      ticketRow("b", { subject: "", custom_fields: { a: null, b: [1, { c: 2, d: 1 }] } }),
    ];
    const [change] = rowsOf({ kind: "upsert", batch: createRowBatch(table.read, rows) });
    const fields = hash('{"a":null,"b":[1,{"c":2,"d":1}]}');
    expect(change?.[2]).toEqual([
      {
        id: "a",
        subject: hash("Where is it?"),
        custom_fields: fields,
        csat_comment: null,
        created_at: "2026-11-01T10:00:00Z",
      },
      {
        id: "b",
        subject: hash(""),
        custom_fields: fields,
        csat_comment: null,
        created_at: "2026-11-01T10:00:00Z",
      },
    ]);
  });
});

describe("the place of a table", () => {
  it.each([
    { selection: "0123456789ab", since: undefined, watermark: "" },
    { selection: "0123456789ab", since: 17, watermark: "a:b:c\nd" },
  ])("is read as it was written: $watermark", (place) => {
    expect(parsePlace(formatPlace(place))).toEqual(place);
  });

  it.each([undefined, "", "x123", "deskbridge:2:a::b"])("is nothing that can be gone on from: %s", (text) => {
    expect(parsePlace(text)).toBeUndefined();
  });
});
