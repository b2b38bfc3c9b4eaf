import { PassThrough } from "node:stream";
import { afterAll, beforeAll, expect, it } from "vitest";
import connector from "../../connectors/deskbridge/index.ts";
import { createExportProgress } from "../../src/cli/export-progress.ts";
import type { ExportProgress } from "../../src/export/table-run.ts";
import { createTestContext } from "../../src/sdk/testing/index.ts";
import { captureLog } from "../support/captured-log.ts";
import { readWhole } from "../support/dataset-copy.ts";
import type { DeskStand } from "../support/desk.ts";
import { openDeskStand } from "../support/desk.ts";
import { exportConfig, exportStand, rowsIn } from "../support/export-stand.ts";
import { openLedgers } from "../support/ledgers.ts";
import { memorySinkFixture } from "../support/memory-sink.ts";

let desk: DeskStand;

// A page takes part in adding up for no longer than one fold, of 5,000 changes.
beforeAll(async () => void (desk = await openDeskStand({ datasetFoldMs: 0 })));
afterAll(() => desk.close());

async function manyChanges(): Promise<void> {
  for (const assignee of ["kim", "lee"]) {
    const body = { subject: "Late", requester: { email: "ada@example.com" }, assignee };
    const { status } = await desk.send({ method: "POST", path: "/v1/tickets", body });
    if (status !== 201) throw new Error(`a ticket was answered with ${status}`);
  }
  const database = await desk.connect();
  await database.query(`insert into change (type, ticket, object, data, actor)
    select 'ticket.updated', c.ticket, c.object, '{}', c.actor from change c, generate_series(1, 12000) where c.type = 'ticket.created'`);
}

it("an export of figures that are still being added up waits for them, says so, and ends well", async () => {
  await manyChanges();
  const context = createTestContext({ connection: "desk" });
  const settings = connector.config.parse({ url: await desk.listen(), apiKey: desk.adminKey });
  const { datasets: source } = await connector.open(settings, context);
  if (source === undefined) throw new Error("the connector gives no datasets");
  const [ledger] = (await openLedgers(1)).ledgers;
  const config = await exportConfig("datasets: [metrics_daily]");
  const lake = memorySinkFixture();
  const log = captureLog();
  const { run } = exportStand({ exports: [config], ledger, source, sink: lake.sink, logger: log.logger });

  const seen: ExportProgress[] = [];
  let pauses = 0;
  const result = await run({
    onProgress: (progress) => void seen.push(progress),
    pause: async () => void (pauses += 1),
  });
  expect(result).toMatchObject({ state: "done", tables: [{ state: "done", commits: 1 }] });
  expect(pauses).toBe(0);
  const whole = await readWhole(desk, "metrics_daily");
  expect(await rowsIn(lake, config)).toHaveLength(whole.size);
  expect(whole.size).toBeGreaterThan(3);

  const shares = seen.flatMap(({ preparing }) => preparing ?? []);
  expect(shares.length).toBeGreaterThan(2);
  expect(shares).toEqual(shares.toSorted((a, b) => a - b));
  const waits = log.lines().filter(({ msg }) => String(msg).includes("waits for its source"));
  expect(waits).toMatchObject([{ export: "nightly", table: "metrics_daily", from: "desk" }]);
  context.close();

  let now = 0;
  const stderr = Object.assign(new PassThrough({ encoding: "utf8" }), { isTTY: false, columns: 80 });
  const progress = createExportProgress({ stderr, variables: {} }, ["metrics_daily"], () => (now += 6000));
  for (const step of seen) progress.show(step);
  progress.end();
  const lines = String(stderr.read()).trim().split("\n");
  expect(lines[0]).toMatch(/^metrics_daily: \d+ %, the desk adds its figures up/);
  expect(lines.at(-1)).toMatch(/^metrics_daily: 100 %, \d+ rows/);
});
