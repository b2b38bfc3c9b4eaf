import { afterAll, beforeAll, expect, it, vi } from "vitest";
import connector from "../../connectors/deskbridge/index.ts";
import { changePage } from "../../src/desk/schema-change.ts";
import { createTestContext } from "../../src/sdk/testing/index.ts";
import type { DeskAnswer, DeskStand } from "../support/desk.ts";
import { openDeskStand } from "../support/desk.ts";
import { newEndUser } from "../support/end-user.ts";
import type { TestEndUser } from "../support/end-user.ts";

let stand: DeskStand;
let ada: TestEndUser;
/** Cursors of readers that had everything, from before the database was set back to an older state. */
const cursors = { feed: "", tickets: "", metrics_daily: "" };

const get = (path: string, headers = {}): Promise<DeskAnswer> => stand.send({ method: "GET", path, headers });

async function readFeed(after?: string) {
  const query = after === undefined ? "" : `&after=${after}`;
  return changePage.parse((await get(`/v1/changes?limit=500${query}`)).json);
}

/** Opens a ticket; returns the cursor behind it. A transaction of anybody else's may hold the feed back for a moment. */
async function newTicket(subject: string): Promise<string> {
  const body = { subject, requester_id: ada.id };
  const { id } = (await stand.send({ method: "POST", path: "/v1/tickets", body })).json as { id: string };
  return vi.waitFor(
    async () => {
      const { data, next_cursor: cursor } = await readFeed();
      expect(data.map(({ object_id: object }) => object)).toContain(id);
      return cursor;
    },
    { timeout: 20_000 },
  );
}

async function datasetCursor(dataset: string): Promise<string> {
  const { headers } = await get(`/v1/datasets/${dataset}`);
  expect(headers["deskbridge-has-more"]).toBe("false");
  return headers["deskbridge-next-cursor"] ?? "";
}

beforeAll(async () => {
  stand = await openDeskStand();
  ada = await newEndUser(stand, "Ada");
  const kept = await newTicket("In the backup");
  cursors.feed = await newTicket("After the backup");
  cursors.tickets = await datasetCursor("tickets");
  cursors.metrics_daily = await datasetCursor("metrics_daily");
  expect(cursors.feed > kept).toBe(true);
  const database = await stand.connect();
  const parts = [kept.slice(0, 13), kept.slice(13)].map((half) => Number.parseInt(half, 16));
  await database.query("delete from change where (tx, id) > ($1, $2)", parts);
  await database.query("update metric_fold set batch = batch - 1, tx = $1, id = $2", parts);
});
afterAll(() => stand.close());

const ahead = { status: 400, json: { code: "cursor_ahead" } };

it("a cursor of a newer state of the database is refused by the feed, rather than waited at for ever", async () => {
  expect(await get(`/v1/changes?after=${cursors.feed}`)).toMatchObject(ahead);
  expect(await get(`/v1/changes?after=${cursors.feed}&types=message.*`)).toMatchObject(ahead);
});

it("and by the streams", async () => {
  const resume = { "last-event-id": cursors.feed };
  expect(await get(`/v1/changes/stream?after=${cursors.feed}`)).toMatchObject(ahead);
  expect(await get("/v1/changes/stream", resume)).toMatchObject(ahead);
  expect(await ada.send("GET", "/v1/me/stream", undefined, resume)).toMatchObject(ahead);
});

it("and by the datasets", async () => {
  expect(await get(`/v1/datasets/tickets?after=${cursors.tickets}`)).toMatchObject(ahead);
  expect(await get(`/v1/datasets/metrics_daily?after=${cursors.metrics_daily}`)).toMatchObject(ahead);
});

it("which an export from this desk tells in words", async () => {
  const context = createTestContext();
  const config = connector.config.parse({ url: await stand.listen(), apiKey: stand.adminKey });
  const { datasets } = await connector.open(config, context);
  const { signal } = new AbortController();
  const request = {
    dataset: "tickets",
    columns: ["id", "created_at"],
    after: cursors.tickets,
    signal,
  } as const;
  const pages = datasets?.read(request)[Symbol.asyncIterator]();
  await expect(pages?.next()).rejects.toMatchObject({
    code: "target_rejected",
    message: expect.stringContaining("cursor_ahead") as string,
  });
  await expect(datasets?.unchanged?.(request)).rejects.toMatchObject({ code: "target_rejected" });
  context.close();
});

it("while the newest cursor that there is goes on", async () => {
  const { next_cursor: after } = await readFeed();
  expect(await get(`/v1/changes?after=${after}`)).toMatchObject({ status: 200, json: { data: [] } });
  await newTicket("New");
  expect((await readFeed(after)).data).not.toEqual([]);
});
