import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { afterEach, expect, it } from "vitest";
import connector from "../../connectors/deskbridge/index.ts";
import type { DatasetPage } from "../../src/sdk/index.ts";
import { createTestContext } from "../../src/sdk/testing/index.ts";
import { serveHttp } from "../support/http-server.ts";

const closers: (() => Promise<void> | void)[] = [];
const clock = { now: 0 };

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

/** Answers one request for a page, by its number. */
type Serve = (number: number, response: ServerResponse) => void;

function head(response: ServerResponse, number: number, more: boolean): void {
  response.writeHead(200, {
    "content-type": "text/csv",
    "deskbridge-part": "upsert",
    "deskbridge-next-cursor": String(number + 1),
    "deskbridge-has-more": String(more),
  });
}

const line = (number: number): string => `msg_${number},2026-11-03 08:00:00+00\n`;

/** A whole page of one row, the third being the last. */
const whole: Serve = (number, response) => {
  head(response, number, number < 3);
  response.end(line(number));
};

async function openDesk(serve: Serve = whole) {
  const asked: number[] = [];
  const answers: ServerResponse[] = [];
  const desk = await serveHttp((request, response) => {
    const number = Number(new URL(request.url ?? "", "http://desk").searchParams.get("after") ?? 1);
    asked.push(number);
    answers.push(response);
    serve(number, response);
  });
  const context = createTestContext({ connection: "desk", now: () => clock.now });
  closers.push(desk.close, context.close);
  const config = connector.config.parse({ url: desk.url, apiKey: "dbk_key" });
  const { datasets } = await connector.open(config, context);
  const stop = new AbortController();
  const request = {
    dataset: "messages",
    columns: ["id", "created_at"],
    after: undefined,
    signal: stop.signal,
  } as const;
  const pages = datasets?.read(request)[Symbol.asyncIterator]();
  if (pages === undefined) throw new Error("the connector gives no datasets");
  /** Resolves when so many requests have come. */
  const untilAsked = (count: number): Promise<void> =>
    expect.poll(() => asked.length, { interval: 1, timeout: 5000 }).toBe(count);
  return { asked, answers, pages, stop, untilAsked };
}

async function nextPage(pages: AsyncIterator<DatasetPage>): Promise<DatasetPage> {
  const next = await pages.next();
  if (next.done === true) throw new Error("there is no page more");
  return next.value;
}

async function idsOf({ changes }: DatasetPage): Promise<unknown[]> {
  const ids: unknown[] = [];
  for await (const { batch } of changes) ids.push(...batch.rows().map(({ id }) => id));
  return ids;
}

async function idsOfAll(pages: AsyncIterator<DatasetPage>): Promise<unknown[]> {
  const ids: unknown[] = [];
  for (;;) {
    const next = await pages.next();
    if (next.done === true) return ids;
    ids.push(...(await idsOf(next.value)));
  }
}

/** Pages whose end the test brings about. */
const slow: Serve = (number, response) => {
  head(response, number, true);
  response.write(line(number));
};

it("the next page is asked for when the present one begins to be read, one ahead and each once", async () => {
  const { asked, answers, pages, untilAsked } = await openDesk(slow);
  const first = await nextPage(pages);
  expect(asked).toEqual([1]);
  const ids = idsOf(first);
  await untilAsked(2);
  answers[0]?.end();
  expect(await ids).toEqual(["msg_1"]);
  const second = await nextPage(pages);
  expect(asked).toEqual([1, 2]);
  answers[1]?.end(line(22));
  expect(await idsOf(second)).toEqual(["msg_2", "msg_22"]);
  await untilAsked(3);
  expect(asked).toEqual([1, 2, 3]);
  await pages.return?.();
});

it("all rows come, in order, and no request is made behind the last page", async () => {
  const { asked, pages } = await openDesk();
  expect(await idsOfAll(pages)).toEqual(["msg_1", "msg_2", "msg_3"]);
  expect(asked).toEqual([1, 2, 3]);
});

it("a reader that stops early lets go of the page that was asked for ahead", async () => {
  const { answers, pages, untilAsked } = await openDesk(slow);
  const changes = (await nextPage(pages)).changes[Symbol.asyncIterator]();
  const outcome = changes.next().catch((error: unknown) => error);
  await untilAsked(2);
  const closed = answers.map((answer) => once(answer, "close"));
  await pages.return?.();
  await Promise.all(closed);
  expect(answers.map(({ writableFinished }) => writableFinished)).toEqual([false, false]);
  expect(await outcome).toBeInstanceOf(Error);
});

it("a read that is aborted lets go of both, and says why", async () => {
  const { answers, pages, stop, untilAsked } = await openDesk(slow);
  const ids = idsOf(await nextPage(pages));
  const outcome = ids.catch((error: unknown) => error);
  await untilAsked(2);
  const closed = answers.map((answer) => once(answer, "close"));
  stop.abort(new Error("enough"));
  await Promise.all(closed);
  expect(await outcome).toMatchObject({ message: "enough" });
  await expect(pages.next()).rejects.toThrow("enough");
});

it("a page that breaks off fails the read, and lets go of the next one", async () => {
  const { answers, pages, untilAsked } = await openDesk(slow);
  const ids = idsOf(await nextPage(pages));
  const outcome = ids.catch((error: unknown) => error);
  await untilAsked(2);
  const closed = once(answers[1] as ServerResponse, "close");
  answers[0]?.destroy();
  expect(await outcome).toMatchObject({ code: "target_protocol" });
  await closed;
  await pages.return?.();
});

it("a page that was refused ahead of its time is asked for again in its turn", async () => {
  let refusals = 0;
  const { asked, pages } = await openDesk((number, response) => {
    if (number !== 2 || refusals > 0) return whole(number, response);
    refusals += 1;
    response.writeHead(503, { "content-type": "application/json" }).end("{}");
  });
  expect(await idsOfAll(pages)).toEqual(["msg_1", "msg_2", "msg_3"]);
  expect(asked).toEqual([1, 2, 2, 3]);
});

it("a page that cannot be had fails the read, told once", async () => {
  const { asked, pages } = await openDesk((number, response) => {
    if (number === 1) return whole(number, response);
    response.writeHead(403, { "content-type": "application/json" }).end("{}");
  });
  await expect(idsOfAll(pages)).rejects.toMatchObject({ code: "target_unauthorized" });
  expect(asked).toEqual([1, 2, 2]);
});

it("a page that has waited for half a minute is asked for anew", async () => {
  const { asked, answers, pages, untilAsked } = await openDesk((number, response) => {
    // The answer that was asked for ahead is not at its end when nobody wants it any more.
    if (asked.length === 2) slow(number, response);
    else whole(number, response);
  });
  const ids = idsOf(await nextPage(pages));
  await untilAsked(2);
  expect(await ids).toEqual(["msg_1"]);
  const closed = once(answers[1] as ServerResponse, "close");
  clock.now += 30_000;
  expect(await idsOfAll(pages)).toEqual(["msg_2", "msg_3"]);
  await closed;
  expect(asked).toEqual([1, 2, 2, 3]);
});
