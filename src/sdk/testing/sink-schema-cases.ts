import { expect } from "vitest";
import type { ErrorCode } from "../../errors.ts";
import type { SchemaPolicy } from "../sink.ts";
import type { SinkCase, SinkKit } from "./sink.ts";
import { upsert, valuesRow, valuesTable, without } from "./sink-table.ts";

const narrow = without(valuesTable, "data", "order");
const rowA = valuesRow("a", { text: "first", order: 1, data: ["a"] });
const rowB = valuesRow("b", { text: "second", order: 2, data: { b: 1 } });

/** What becomes of a table whose columns are not those that are exported, and of tables that are somebody else's. */
export const sinkSchemaCases: readonly SinkCase[] = [
  {
    name: "evolve: adds a column that is exported from now on, and asks for all rows again",
    needs: ["columns", "position"],
    run: evolves,
  },
  {
    name: "evolve: goes on from where a load of all rows stopped",
    needs: ["columns", "position"],
    run: evolvesInParts,
  },
  { name: "freeze: leaves out a column that the table does not have", needs: ["columns"], run: freezes },
  { name: "fail: refuses a column that the table does not have", needs: ["columns"], run: fails },
  { name: "leaves a column in the table that is not exported any more", needs: ["columns"], run: narrows },
  { name: "leaves a column alone that somebody added", needs: ["columns"], run: addedByOthers },
  {
    name: "evolve: puts a column back that somebody took away, and asks for all rows again",
    needs: ["columns", "position"],
    run: droppedEvolve,
  },
  { name: "freeze: leaves out a column that somebody took away", needs: ["columns"], run: droppedFreeze },
  { name: "fail: refuses a table from which somebody took a column", needs: ["columns"], run: droppedFail },
  {
    name: "evolve and fail: refuse a column to which somebody gave another type",
    needs: ["columns"],
    run: retyped,
  },
  {
    name: "freeze: leaves out a column to which somebody gave another type",
    needs: ["columns"],
    run: retypedFreeze,
  },
  { name: "refuses a table without a column of its key, by any policy", needs: ["columns"], run: keyless },
  { name: "refuses a table that it did not make, and leaves it as it is", needs: ["owners"], run: foreign },
  { name: "refuses a table of another export, and leaves it as it is", needs: ["owners"], run: otherExport },
];

async function evolves(kit: SinkKit): Promise<void> {
  await kit.export(narrow, { run: 1, changes: [upsert(narrow, rowA, rowB)] });
  const writer = await kit.openWriter(valuesTable, { run: 2, onSchemaChange: "evolve" });
  expect(writer.position).toBeUndefined();
  expect(writer.leftOut).toEqual([]);
  await kit.expectRows(narrow, [cut(rowA), cut(rowB)]);
  await writer.write(upsert(valuesTable, rowA, rowB));
  await writer.commit({ watermark: "whole" });
  await writer.close();
  await kit.expectRows(valuesTable, [rowA, rowB]);
  const again = await kit.openWriter(valuesTable, { run: 3, onSchemaChange: "fail" });
  expect(again.position).toEqual({ run: 2, watermark: "whole" });
}

async function evolvesInParts(kit: SinkKit): Promise<void> {
  await kit.export(narrow, { run: 1, changes: [upsert(narrow, rowA, rowB)], watermark: "old" });
  const left = await kit.openWriter(valuesTable, { run: 2, onSchemaChange: "evolve" });
  await left.close();
  const second = await kit.openWriter(valuesTable, { run: 3, onSchemaChange: "evolve" });
  expect(second.position).toBeUndefined();
  await second.write(upsert(valuesTable, rowA));
  await second.commit({ watermark: "half" });
  await second.close();
  const third = await kit.openWriter(valuesTable, { run: 4, onSchemaChange: "evolve" });
  expect(third.position).toEqual({ run: 3, watermark: "half" });
}

async function freezes(kit: SinkKit): Promise<void> {
  await kit.export(narrow, { run: 1, changes: [upsert(narrow, rowA)], watermark: "one" });
  const writer = await kit.openWriter(valuesTable, { run: 2, onSchemaChange: "freeze" });
  expect(leftOutOf(writer)).toEqual(["data", "order"]);
  if (!kit.lacks("position")) expect(writer.position).toEqual({ run: 1, watermark: "one" });
  await writer.write(upsert(valuesTable, rowB));
  await writer.commit({ watermark: "two" });
  await kit.expectRows(narrow, [cut(rowA), cut(rowB)]);
}

async function fails(kit: SinkKit): Promise<void> {
  await kit.export(narrow, { run: 1, changes: [upsert(narrow, rowA)] });
  await refused(kit, "fail", "sink_schema_changed");
  await kit.expectRows(narrow, [cut(rowA)]);
  await kit.export(narrow, { run: 3, changes: [upsert(narrow, rowB)] });
  await kit.expectRows(narrow, [cut(rowA), cut(rowB)]);
}

async function narrows(kit: SinkKit): Promise<void> {
  await kit.export(valuesTable, { run: 1, changes: [upsert(valuesTable, rowA)], watermark: "one" });
  const writer = await kit.openWriter(narrow, { run: 2 });
  if (!kit.lacks("position")) expect(writer.position?.watermark).toBe("one");
  await writer.write(upsert(narrow, rowB));
  await writer.commit({ watermark: "two" });
  await writer.close();
  await kit.expectRows(valuesTable, [rowA, { ...rowB, data: null, order: null }]);
  if (kit.lacks("position")) return;
  // What came in between has none of the column, so that all has to come again once it is wanted.
  const again = await kit.openWriter(valuesTable, { run: 3, onSchemaChange: "evolve" });
  expect(again.position).toBeUndefined();
}

async function addedByOthers(kit: SinkKit): Promise<void> {
  await kit.export(valuesTable, { run: 1, changes: [upsert(valuesTable, rowA)], watermark: "one" });
  await kit.someoneElse.addColumn(valuesTable, "note_of_theirs");
  const writer = await kit.openWriter(valuesTable, { run: 2, onSchemaChange: "fail" });
  expect(writer.leftOut).toEqual([]);
  if (!kit.lacks("position")) expect(writer.position?.watermark).toBe("one");
  await writer.write(upsert(valuesTable, rowB, { ...rowA, text: "changed" }));
  await writer.commit({ watermark: "two" });
  await kit.expectRows(valuesTable, [{ ...rowA, text: "changed" }, rowB]);
  await kit.someoneElse.dropColumn(valuesTable, "note_of_theirs");
  await kit.expectRows(valuesTable, [{ ...rowA, text: "changed" }, rowB]);
}

async function droppedEvolve(kit: SinkKit): Promise<void> {
  await kit.export(valuesTable, { run: 1, changes: [upsert(valuesTable, rowA)] });
  await kit.someoneElse.dropColumn(valuesTable, "order");
  const writer = await kit.openWriter(valuesTable, { run: 2, onSchemaChange: "evolve" });
  expect(writer.position).toBeUndefined();
  await writer.write(upsert(valuesTable, rowA, rowB));
  await writer.commit({ watermark: "whole" });
  await kit.expectRows(valuesTable, [rowA, rowB]);
}

async function droppedFreeze(kit: SinkKit): Promise<void> {
  await kit.export(valuesTable, { run: 1, changes: [upsert(valuesTable, rowA)] });
  await kit.someoneElse.dropColumn(valuesTable, "order");
  const writer = await kit.openWriter(valuesTable, { run: 2, onSchemaChange: "freeze" });
  expect(leftOutOf(writer)).toEqual(["order"]);
  await writer.write(upsert(valuesTable, rowB));
  await writer.commit({ watermark: "two" });
  await kit.expectRows(without(valuesTable, "order"), [cut(rowA, "order"), cut(rowB, "order")]);
}

async function droppedFail(kit: SinkKit): Promise<void> {
  await kit.export(valuesTable, { run: 1, changes: [upsert(valuesTable, rowA)] });
  await kit.someoneElse.dropColumn(valuesTable, "order");
  await refused(kit, "fail", "sink_schema_changed");
  await kit.expectRows(without(valuesTable, "order"), [cut(rowA, "order")]);
}

async function retyped(kit: SinkKit): Promise<void> {
  const empty = valuesRow("a", { text: "only" });
  await kit.export(valuesTable, { run: 1, changes: [upsert(valuesTable, empty)] });
  for (const column of ["order", "seen_at"]) {
    await kit.someoneElse.retypeColumn(valuesTable, column);
    await refused(kit, "evolve", "sink_schema_changed", column);
    await refused(kit, "fail", "sink_schema_changed", column);
    await kit.someoneElse.dropColumn(valuesTable, column);
    const writer = await kit.openWriter(valuesTable, { run: 3, onSchemaChange: "evolve" });
    await writer.close();
  }
  await kit.expectRows(valuesTable, [empty]);
}

async function retypedFreeze(kit: SinkKit): Promise<void> {
  await kit.export(valuesTable, {
    run: 1,
    changes: [upsert(valuesTable, valuesRow("a", { text: "first" }))],
  });
  await kit.someoneElse.retypeColumn(valuesTable, "order");
  const writer = await kit.openWriter(valuesTable, { run: 2, onSchemaChange: "freeze" });
  expect(leftOutOf(writer)).toEqual(["order"]);
  await writer.write(upsert(valuesTable, rowB));
  await writer.commit({ watermark: "two" });
  const rows = [cut(valuesRow("a", { text: "first" }), "order"), cut(rowB, "order")];
  await kit.expectRows(without(valuesTable, "order"), rows);
}

async function keyless(kit: SinkKit): Promise<void> {
  await kit.export(valuesTable, { run: 1, changes: [] });
  await kit.someoneElse.dropColumn(valuesTable, "created_at");
  for (const policy of ["evolve", "freeze", "fail"] as const) {
    await refused(kit, policy, "sink_schema_changed", "created_at");
  }
}

async function foreign(kit: SinkKit): Promise<void> {
  const contents = await kit.someoneElse.makeTable(valuesTable.name);
  const before = await contents();
  for (const policy of ["evolve", "freeze", "fail"] as const) {
    await refused(kit, policy, "sink_table_foreign", valuesTable.name);
  }
  expect(before).not.toBe("");
  expect(await contents()).toBe(before);
}

async function otherExport(kit: SinkKit): Promise<void> {
  await kit.export(valuesTable, { run: 1, changes: [upsert(valuesTable, rowA)], watermark: "one" });
  const opened = kit.openWriter(valuesTable, { export: "weekly", run: 1, onSchemaChange: "evolve" });
  await expect(opened).rejects.toMatchObject({ code: "sink_table_foreign" });
  await kit.expectRows(valuesTable, [rowA]);
  const writer = await kit.openWriter(valuesTable, { run: 2 });
  if (!kit.lacks("position")) expect(writer.position).toEqual({ run: 1, watermark: "one" });
  expect(writer.leftOut).toEqual([]);
}

/** The error names what it is about, so that an operator knows where to look. */
async function refused(kit: SinkKit, policy: SchemaPolicy, code: ErrorCode, names = ""): Promise<void> {
  const opened = kit.openWriter(valuesTable, { run: 9, onSchemaChange: policy });
  await expect(opened).rejects.toMatchObject({
    code,
    message: expect.stringContaining(names) as string,
  });
}

function leftOutOf(writer: {
  readonly leftOut: readonly { readonly column: string; readonly reason: string }[];
}): string[] {
  for (const { reason } of writer.leftOut) expect(reason).toMatch(/.{5}/);
  return writer.leftOut.map(({ column }) => column).toSorted();
}

function cut(row: ReturnType<typeof valuesRow>, ...names: readonly string[]): ReturnType<typeof valuesRow> {
  const dropped = names.length === 0 ? ["data", "order"] : names;
  return Object.fromEntries(Object.entries(row).filter(([name]) => !dropped.includes(name)));
}
