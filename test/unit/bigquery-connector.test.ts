import { afterEach, describe, expect, it } from "vitest";
import connector from "../../connectors/bigquery/index.ts";
import { createTestContext } from "../../src/sdk/testing/index.ts";
import { upsert, valuesRow, valuesTable } from "../../src/sdk/testing/sink-table.ts";
import type { BigQueryStub } from "../support/bigquery-stub.ts";
import { openBigQueryStub } from "../support/bigquery-stub.ts";

let stub: BigQueryStub | undefined;

afterEach(async () => {
  await stub?.close();
  stub = undefined;
});

async function openSink() {
  stub = await openBigQueryStub();
  const settings = connector.config.parse({ project: "acme-analytics", apiUrl: stub.url });
  const { sink, check } = await connector.open(settings, createTestContext());
  const { signal } = new AbortController();
  const open = () =>
    sink!.open({ table: valuesTable, export: "nightly", run: 4, onSchemaChange: "evolve", signal });
  return { open, check: () => check!(signal), stub };
}

describe("the bigquery sink", () => {
  it("merges a chunk and moves its record in one script", async () => {
    const {
      open,
      stub: { queries },
    } = await openSink();
    const writer = await open();
    await writer.write(upsert(valuesTable, valuesRow("a")));
    await writer.commit({ watermark: "w", dropOlderThan: 4 });
    await writer.close();
    const script = queries.find((query) => query.includes("MERGE INTO")) ?? "";
    const parts = script.split(";\n").map((one) => one.split(" ").slice(0, 2).join(" "));
    expect(parts).toEqual([
      "BEGIN TRANSACTION",
      "MERGE INTO",
      "DELETE FROM",
      "DELETE FROM",
      "INSERT INTO",
      "COMMIT TRANSACTION;",
    ]);
    expect(script).toContain("MERGE INTO `support`.`conformance_values` AS t USING");
    expect(script).not.toContain("'w'");
    expect(queries.at(-1)).toMatch(
      /^DROP TABLE IF EXISTS `support`.`_deskbridge_stage_conformance_values_[0-9a-f]{12}`$/,
    );
  });

  it.each([
    [401, "authError", "target_unauthorized"],
    [403, "accessDenied", "target_unauthorized"],
    [403, "quotaExceeded", "target_rate_limited"],
    [400, "invalid", "target_rejected"],
  ])("tells a refusal of %i %s by its reason, never by its words", async (status, reason, code) => {
    const {
      open,
      stub: { refuse },
    } = await openSink();
    refuse(status, reason);
    const error: unknown = await open().catch((fault: unknown) => fault);
    expect(error).toMatchObject({ code, message: expect.stringContaining(reason) as string });
    expect(JSON.stringify([error, (error as Error).message])).not.toContain("ada@");
  });

  it("is found good by its check, and refuses a key that is none", async () => {
    const { check } = await openSink();
    expect(await check()).toMatchObject([{ name: "project", ok: true }]);
    const settings = connector.config.parse({ project: "acme-analytics", credentials: "not the key of ada" });
    const connection = await connector.open(settings, createTestContext());
    const [result] = (await connection.check?.(new AbortController().signal)) ?? [];
    expect(result).toMatchObject({ ok: false });
    expect(JSON.stringify(result)).not.toContain("ada");
  });
});
