import { describe, expect, it } from "vitest";
import { createHmacVerifier, createWindowedSource, hmacSignature, isoTime } from "../../src/sdk/index.ts";
import type { EventInput, HmacScheme, Source, Webhook, WebhookRequest } from "../../src/sdk/index.ts";
import { sourceCases, webhookCases } from "../../src/sdk/testing/index.ts";
import type { SourceFixture, WebhookSuite } from "../../src/sdk/testing/index.ts";
import { failures } from "../support/conformance-failures.ts";

const scheme: HmacScheme = {
  header: "x-signature",
  algorithm: "sha256",
  encoding: "hex",
  signedContent: "{timestamp}.{body}",
  timestampHeader: "x-time",
  toleranceSeconds: 60,
};

const eventOf = (id: string, time = "2026-11-22T09:00:00Z"): EventInput => ({
  id,
  type: "order.created",
  subject: `order/${id}`,
  time,
  data: { order: { id, tags: [], items: [] } },
});

function parse(request: WebhookRequest): readonly EventInput[] {
  const { id } = JSON.parse(request.body.toString()) as { id: string };
  return [eventOf(id)];
}

const suiteOf = (open: (secrets: readonly string[]) => Webhook): WebhookSuite => ({
  name: "a faulty sender",
  open,
  secrets: ["current", "previous", "wrong"],
  requiredHeaders: ["x-signature", "x-time"],
  toleranceSeconds: 60,
  samples: [{ name: "an order", body: Buffer.from('{"id":"7"}') }],
  sign: ({ body, secret, at }) => {
    const headers = { "x-time": String(at / 1000) };
    const signature = hmacSignature(scheme, secret, { body, headers });
    return {
      method: "POST",
      path: "",
      query: {},
      headers: { ...headers, "x-signature": signature },
      body,
      receivedAt: at,
    };
  },
});

describe("the webhook suite", () => {
  it.each<[string, (secrets: readonly string[]) => Webhook, string]>([
    [
      "verifies nothing",
      () => ({ verify: () => undefined, parse }),
      "refuses a body of which one byte was changed",
    ],
    [
      "parses before it verifies",
      (secrets) => ({
        verify: (request) => {
          const body = Buffer.from(JSON.stringify(JSON.parse(request.body.toString())));
          createHmacVerifier(scheme, secrets)({ ...request, body });
        },
        parse,
      }),
      "refuses the same JSON written anew",
    ],
    [
      "ignores the time",
      (secrets) => ({
        verify: createHmacVerifier(
          {
            header: "x-signature",
            algorithm: "sha256",
            encoding: "hex",
            signedContent: "{timestamp}.{body}",
            timestampHeader: "x-time",
          },
          secrets,
        ),
        parse,
      }),
      "refuses a signed time that is too old",
    ],
    [
      "knows one secret",
      (secrets) => ({ verify: createHmacVerifier(scheme, secrets.slice(0, 1)), parse }),
      "accepts both secrets while one replaces the other, and no third",
    ],
    [
      "makes ids up",
      (secrets) => ({
        verify: createHmacVerifier(scheme, secrets),
        parse: () => [eventOf(crypto.randomUUID())],
      }),
      "gives a request sent twice the same event ids",
    ],
    [
      "throws what the parser throws",
      (secrets) => ({ verify: createHmacVerifier(scheme, secrets), parse }),
      "answers a body that is not acceptable JSON with webhook_malformed",
    ],
    [
      "gives events of another form",
      (secrets) => ({
        verify: createHmacVerifier(scheme, secrets),
        parse: () => [{ ...eventOf("7"), data: { order: { id: 7 } } } as unknown as EventInput],
      }),
      "accepts an order and gives valid events",
    ],
  ])("finds a webhook that %s", async (_fault, open, found) => {
    expect(await failures(webhookCases(suiteOf(open)))).toContain(found);
  });

  it("holds a stated limit to the truth", async () => {
    const suite = suiteOf((secrets) => ({ verify: createHmacVerifier(scheme, secrets), parse }));
    const cases = webhookCases({ ...suite, without: { stale: "it signs no time" } });
    expect(await failures(cases)).toContain(
      "cannot do this: refuses a signed time that is too old (it signs no time)",
    );
  });
});

type Rows = { readonly id: string; readonly at: number }[];

/** A fixture over rows in memory; `build` makes the source under test from a way to list them. */
function fixtureOf(build: (rows: Rows, now: () => number) => Source): () => SourceFixture {
  return () => {
    const rows: Rows = [];
    let now = 0;
    return {
      source: build(rows, () => now),
      setNow: (at) => {
        now = at;
      },
      change: (at) => {
        rows.push({ id: `r${rows.length}`, at });
        rows.sort((a, b) => a.at - b.at);
      },
    };
  };
}

const sound = (rows: Rows, now: () => number, id = (row: string) => row): Source =>
  createWindowedSource({
    description: "rows",
    every: "1m",
    overlapMs: 60_000,
    lagMs: 5000,
    now,
    fetchPage: async ({ from, to, after }) => {
      const listed = rows.filter((row) => row.at >= Date.parse(from) && row.at < Date.parse(to));
      const skip = Number(after ?? 0);
      const records = listed.slice(skip, skip + 3).map((row) => ({
        time: isoTime(row.at),
        id: row.id,
        events: [eventOf(id(row.id), isoTime(row.at))],
      }));
      return listed.length > skip + 3 ? { records, after: String(skip + 3) } : { records };
    },
  });

/** The usual wrong way: the cursor is the last time read, and the next read begins after it. */
const exclusive = (rows: Rows, now: () => number): Source => ({
  description: "rows",
  every: "1m",
  async *read({ cursor, until }) {
    const from = cursor === undefined ? -1 : Date.parse(cursor.time);
    const listed = rows.filter(
      (row) => row.at > from && row.at < (until === undefined ? now() : Date.parse(until)),
    );
    for (let skip = 0; skip < listed.length; skip += 3) {
      const page = listed.slice(skip, skip + 3);
      yield {
        events: page.map((row) => eventOf(row.id, isoTime(row.at))),
        cursor: { time: isoTime(page.at(-1)?.at ?? 0), seen: [] },
      };
    }
  },
});

const firstPageOnly = (rows: Rows, now: () => number): Source => {
  const inner = exclusive(rows, now);
  return {
    ...inner,
    async *read(request) {
      for await (const page of inner.read(request)) {
        yield page;
        return;
      }
    },
  };
};

describe("the source suite", () => {
  it("finds nothing wrong with the cursor primitive", async () => {
    expect(await failures(sourceCases({ name: "sound", open: fixtureOf(sound) }))).toEqual([]);
  });

  it.each<[string, (rows: Rows, now: () => number) => Source, string]>([
    [
      "skips the rest of a second",
      exclusive,
      "delivers every change of one second, also when cut off between its pages",
    ],
    ["reads one page only", firstPageOnly, "ends when it has caught up, with valid events in several pages"],
    ["goes on when it is aborted", exclusive, "stops when its signal is aborted"],
    [
      "makes ids up",
      (rows, now) => sound(rows, now, () => crypto.randomUUID()),
      "gives the same event ids when a page is read again",
    ],
  ])("finds a source that %s", async (_fault, build, found) => {
    expect(await failures(sourceCases({ name: "faulty", open: fixtureOf(build) }))).toContain(found);
  });
});
