import { request as forward } from "node:http";
import { createClient } from "@clickhouse/client";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import connector from "../../connectors/clickhouse/index.ts";
import type { SinkRequest, SinkWriter } from "../../src/sdk/index.ts";
import { createTestContext } from "../../src/sdk/testing/index.ts";
import { gone, upsert, valuesRow, valuesTable } from "../../src/sdk/testing/sink-table.ts";
import type { ClickHouse } from "../support/clickhouse.ts";
import { closeSharedClickHouse, sharedClickHouse } from "../support/sink-clickhouse.ts";
import { serveHttp } from "../support/http-server.ts";

let engine: ClickHouse;
let database = "";
let count = 0;
const opened: (() => Promise<void> | void)[] = [];

beforeEach(async () => {
  engine = await sharedClickHouse();
  count += 1;
  database = `faults_${count}`;
});

afterEach(async () => {
  for (const close of opened.splice(0).toReversed()) await close();
});

afterAll(closeSharedClickHouse);

async function openWriter(request: Partial<SinkRequest> = {}, settings: object = {}): Promise<SinkWriter> {
  const { url, username, password } = engine;
  const config = connector.config.parse({ url, username, password, database, ...settings });
  const { sink } = await connector.open(config, createTestContext());
  const { signal } = new AbortController();
  const writer = await sink!.open({
    table: valuesTable,
    export: "nightly",
    run: 1,
    onSchemaChange: "fail",
    signal,
    ...request,
  });
  opened.push(writer.close);
  return writer;
}

async function ask<R>(query: string): Promise<R[]> {
  const client = createClient({ url: engine.url, username: engine.username, password: engine.password });
  try {
    return await (await client.query({ query, format: "JSONEachRow" })).json<R>();
  } finally {
    await client.close();
  }
}

const idsIn = async (from: string): Promise<string[]> =>
  (await ask<{ id: string }>(`SELECT id FROM ${database}.${from} ORDER BY id`)).map(({ id }) => id);

/** Stands before the engine; a statement that fits the pattern is cut off before it gets there, or its answer is lost. */
async function openFault(pattern: RegExp, kind: "cut" | "lost"): Promise<string> {
  const server = await serveHttp((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks);
      const isMeant = pattern.test(body.toString());
      if (isMeant && kind === "cut") return void response.destroy();
      const { method, headers, url } = request;
      const onward = forward(
        `${engine.url}${url ?? "/"}`,
        { method: method ?? "POST", headers },
        (answer) => {
          if (isMeant) return void answer.resume().on("end", () => response.destroy());
          response.writeHead(answer.statusCode ?? 500, answer.headers);
          answer.pipe(response);
        },
      );
      onward.end(body);
    });
  });
  opened.push(server.close);
  return server.url;
}

describe("a commit that breaks off", () => {
  it("before its rows come in has moved nothing, whatever the record says", async () => {
    const first = await openWriter();
    await first.write(upsert(valuesTable, valuesRow("a")));
    await first.commit({ watermark: "one" });
    const url = await openFault(/ATTACH PARTITION/, "cut");
    const second = await openWriter({ run: 2 }, { url });
    await second.write(upsert(valuesTable, valuesRow("b")));
    await expect(second.commit({ watermark: "two" })).rejects.toMatchObject({ code: "target_unavailable" });
    const third = await openWriter({ run: 3 });
    expect(third.position).toEqual({ run: 1, watermark: "one" });
    expect(await idsIn(valuesTable.name)).toEqual(["a"]);
    await third.write(upsert(valuesTable, valuesRow("b")));
    await third.commit({ watermark: "two" });
    expect((await openWriter({ run: 4 })).position).toEqual({ run: 3, watermark: "two" });
  });

  it("after its rows came in has moved, though nobody was told", async () => {
    const url = await openFault(/ATTACH PARTITION/, "lost");
    const writer = await openWriter({}, { url });
    await writer.write(upsert(valuesTable, valuesRow("a")));
    await expect(writer.commit({ watermark: "one" })).rejects.toMatchObject({ code: "target_unavailable" });
    expect((await openWriter({ run: 2 })).position).toEqual({ run: 1, watermark: "one" });
    expect(await idsIn(valuesTable.name)).toEqual(["a"]);
  });
});

it("the view shows rows once and none that is gone; the table below it has every version until they are merged", async () => {
  const writer = await openWriter();
  await writer.write(upsert(valuesTable, valuesRow("a"), valuesRow("b")));
  await writer.commit({ watermark: "1" });
  await writer.write(upsert(valuesTable, valuesRow("a", { text: "changed" })));
  await writer.write(gone(valuesTable, { id: "b" }));
  await writer.commit({ watermark: "2" });
  expect(await idsIn(valuesTable.name)).toEqual(["a"]);
  expect(new Set(await idsIn(`_deskbridge_${valuesTable.name}`))).toEqual(new Set(["a", "b"]));
  const [row] = await ask<object>(`SELECT * FROM ${database}.${valuesTable.name}`);
  expect(Object.keys(row ?? {})).toEqual(valuesTable.columns.map(({ name }) => name));
});

it("leaves no table of a chunk behind, also of a process that died", async () => {
  const dead = await openWriter();
  await dead.write(upsert(valuesTable, valuesRow("a")));
  const next = await openWriter({ run: 2 });
  await next.close();
  const left = await ask(
    `SELECT name FROM system.tables WHERE database = '${database}' AND name LIKE '%stage%'`,
  );
  expect(left).toEqual([]);
  await expect(dead.commit({ watermark: "late" })).rejects.toMatchObject({ code: "sink_schema_changed" });
});

describe("an address that does not work", () => {
  it("is told without the password: another account, nobody there", async () => {
    const wrong = openWriter({}, { password: "hunter2-of-the-test" });
    const error: unknown = await wrong.catch((fault: unknown) => fault);
    expect(error).toMatchObject({ code: "target_unauthorized" });
    expect(JSON.stringify([error, (error as Error).message])).not.toContain("hunter2");
    await expect(openWriter({}, { url: "http://127.0.0.1:9" })).rejects.toMatchObject({
      code: "target_unavailable",
    });
    expect(connector.config.safeParse({ url: "tcp://127.0.0.1:9000" }).success).toBe(false);
  });

  it("is found good by the check where it is", async () => {
    const { url, username, password } = engine;
    const check = async (settings: object) => {
      const connection = await connector.open(
        connector.config.parse({ url, username, password, ...settings }),
        createTestContext(),
      );
      return await connection.check?.(new AbortController().signal);
    };
    expect(await check({})).toMatchObject([{ name: "server", ok: true }]);
    expect(await check({ password: "no" })).toMatchObject([{ name: "server", ok: false }]);
  });
});

it("a row that ClickHouse cannot read is told by its number, never by its words", async () => {
  const writer = await openWriter();
  await writer.write(upsert(valuesTable, valuesRow("a", { seen_at: "no time of ada@example.com" })));
  const error: unknown = await writer.commit({ watermark: "1" }).catch((fault: unknown) => fault);
  expect(error).toMatchObject({
    code: "target_rejected",
    message: expect.stringMatching(/code \d+/) as string,
  });
  expect(JSON.stringify([error, (error as Error).message])).not.toContain("ada@");
});
