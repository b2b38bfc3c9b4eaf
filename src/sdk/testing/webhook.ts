import { expect } from "vitest";
import { AppError } from "../../errors.ts";
import type { EventInput } from "../../model/event.ts";
import type { Webhook, WebhookRequest } from "../webhook.ts";
import { runCases } from "./conformance.ts";
import type { ConformanceCase } from "./conformance.ts";
import { expectValidEvents } from "./event-check.ts";

/** What the sender of a test request knows. */
export interface SignRequest {
  readonly body: Buffer;
  readonly secret: string;
  /** When it is sent and arrives, in milliseconds since the epoch. */
  readonly at: number;
}

export interface WebhookSample {
  readonly name: string;
  /** The body as the vendor sends it, JSON. */
  readonly body: Buffer;
  /** How many events it stands for; any number but none unless told. */
  readonly events?: number;
}

/** What a sender may be unable to prove; each with its reason, such as "a path token covers no body". */
export type WebhookLimit = "tampered" | "stale" | "future" | "rotated secret";

export interface WebhookSuite {
  readonly name: string;
  /** Opens the webhook with these live secrets: one, or two while one replaces the other. */
  readonly open: (secrets: readonly string[]) => Webhook | Promise<Webhook>;
  /** A request for the sample as the vendor would send it. */
  readonly sign: (delivery: SignRequest, sample: WebhookSample) => WebhookRequest;
  /** Three secrets of the form that the connector takes. */
  readonly secrets: readonly [current: string, previous: string, wrong: string];
  readonly samples: readonly [WebhookSample, ...WebhookSample[]];
  /** Headers without any of which a request is refused; empty for a credential that is in the path. */
  readonly requiredHeaders: readonly string[];
  /** Further than this from now a signed time is refused. */
  readonly toleranceSeconds?: number;
  /** What the sender cannot prove, with the reason. The suite then asserts that the request is accepted, so that the statement stays true. */
  readonly without?: Partial<Readonly<Record<WebhookLimit, string>>>;
  /** The time of the test; 2026-11-22T10:00:00Z unless told. */
  readonly now?: number;
}

/** Holds a webhook to what the engine relies on. Call it at the top of a test file. */
export function testWebhook(suite: WebhookSuite): void {
  runCases(`webhook of ${suite.name}`, webhookCases(suite));
}

/** The cases of `testWebhook`, to be run one by one. */
export function webhookCases(suite: WebhookSuite): readonly ConformanceCase[] {
  const kit = createKit(suite);
  return [
    ...suite.samples.map((sample) => goodSample(kit, sample)),
    ...verificationCases(kit),
    ...suite.requiredHeaders.map((header) => missingHeader(kit, header)),
    ...parsingCases(kit),
  ];
}

interface Kit {
  readonly suite: WebhookSuite;
  readonly now: number;
  readonly sample: WebhookSample;
  readonly signed: (delivery?: Partial<SignRequest>, sample?: WebhookSample) => WebhookRequest;
  /** "accepted", or the code of the refusal. */
  readonly verdict: (request: WebhookRequest, secrets?: readonly string[]) => Promise<string>;
  readonly parse: (request: WebhookRequest) => Promise<readonly EventInput[]>;
}

function createKit(suite: WebhookSuite): Kit {
  const [current] = suite.secrets;
  const [sample] = suite.samples;
  const now = suite.now ?? Date.parse("2026-11-22T10:00:00Z");
  return {
    suite,
    now,
    sample,
    signed: (delivery = {}, of = sample) =>
      suite.sign({ body: of.body, secret: current, at: now, ...delivery }, of),
    verdict: async (request, secrets = [current]) => {
      const webhook = await suite.open(secrets);
      return codeOf(() => webhook.verify(request)) ?? "accepted";
    },
    parse: async (request) => (await suite.open([current])).parse(request),
  };
}

function codeOf(call: () => unknown): string | undefined {
  try {
    call();
    return undefined;
  } catch (error) {
    if (error instanceof AppError) return error.code;
    throw error;
  }
}

function goodSample(kit: Kit, sample: WebhookSample): ConformanceCase {
  return {
    name: `accepts ${sample.name} and gives valid events`,
    run: async () => {
      const request = kit.signed({}, sample);
      expect(await kit.verdict(request)).toBe("accepted");
      const events = await kit.parse(request);
      expectValidEvents(events);
      if (sample.events === undefined) expect(events.length).toBeGreaterThan(0);
      else expect(events.length).toBe(sample.events);
    },
  };
}

function missingHeader(kit: Kit, header: string): ConformanceCase {
  return {
    name: `refuses a request without ${header}`,
    run: async () => {
      const request = kit.signed();
      expect(request.headers, "the header is there to be left out").toHaveProperty([header]);
      const headers = Object.fromEntries(Object.entries(request.headers).filter(([name]) => name !== header));
      expect(await kit.verdict({ ...request, headers })).toBe("webhook_signature");
      expect(await kit.verdict({ ...request, headers: { ...headers, [header]: "" } })).toBe(
        "webhook_signature",
      );
    },
  };
}

function verificationCases(kit: Kit): ConformanceCase[] {
  const { suite, now } = kit;
  const [current, previous, wrong] = suite.secrets;
  const offMs = ((suite.toleranceSeconds ?? 0) + 5) * 1000;
  const changed = (body: Buffer): WebhookRequest => ({ ...kit.signed(), body });
  return [
    limited(kit, "tampered", "refuses a body of which one byte was changed", "webhook_signature", () =>
      changed(flipByte(kit.sample.body)),
    ),
    limited(kit, "tampered", "refuses the same JSON written anew", "webhook_signature", () =>
      changed(writeAnew(kit.sample.body)),
    ),
    limited(kit, "stale", "refuses a signed time that is too old", "webhook_stale", () => ({
      ...kit.signed({ at: now - offMs }),
      receivedAt: now,
    })),
    limited(kit, "future", "refuses a signed time that is too far ahead", "webhook_stale", () => ({
      ...kit.signed({ at: now + offMs }),
      receivedAt: now,
    })),
    {
      name: "refuses a request signed with another secret",
      run: async () => {
        expect(await kit.verdict(kit.signed({ secret: wrong }))).toBe("webhook_signature");
        expect(await kit.verdict(kit.signed({ secret: previous }))).toBe("webhook_signature");
      },
    },
    rotation(kit, [current, previous, wrong]),
  ];
}

function limited(
  kit: Kit,
  limit: WebhookLimit,
  name: string,
  code: string,
  request: () => WebhookRequest,
): ConformanceCase {
  const reason = kit.suite.without?.[limit];
  if (reason === undefined) return { name, run: async () => expect(await kit.verdict(request())).toBe(code) };
  return {
    name: `cannot do this: ${name} (${reason})`,
    run: async () => expect(await kit.verdict(request())).toBe("accepted"),
  };
}

function rotation(kit: Kit, [current, previous, wrong]: WebhookSuite["secrets"]): ConformanceCase {
  const reason = kit.suite.without?.["rotated secret"];
  if (reason !== undefined) {
    return {
      name: `takes one secret only (${reason})`,
      run: async () => {
        await expect(
          kit.verdict(kit.signed({ secret: previous }), [current, previous]),
        ).rejects.toMatchObject({
          code: "config_invalid",
        });
      },
    };
  }
  return {
    name: "accepts both secrets while one replaces the other, and no third",
    run: async () => {
      const verdicts = [current, previous, wrong].map((secret) =>
        kit.verdict(kit.signed({ secret }), [current, previous]),
      );
      expect(await Promise.all(verdicts)).toEqual(["accepted", "accepted", "webhook_signature"]);
    },
  };
}

const oddBodies = ["", "null", "[]", "{}", "42", '"text"', "[[[]]]", '{"id":null}', '{"id":{}}', "[1]"];

function parsingCases(kit: Kit): ConformanceCase[] {
  const malformed = [
    "{",
    "<html></html>",
    '{"a":1,}',
    '{"__proto__":{"a":1}}',
    `${"[".repeat(200)}${"]".repeat(200)}`,
  ];
  return [
    {
      name: "gives a request sent twice the same event ids",
      run: async () => {
        const first = await kit.parse(kit.signed());
        const again = await kit.parse(kit.signed({ at: kit.now + 60_000 }));
        expect(first.length).toBeGreaterThan(0);
        expect(again.map((event) => event.id)).toEqual(first.map((event) => event.id));
      },
    },
    {
      name: "answers a body that is not acceptable JSON with webhook_malformed",
      run: async () => {
        for (const text of malformed) {
          expect([text, await parseCode(kit, Buffer.from(text))]).toEqual([text, "webhook_malformed"]);
        }
        expect(await parseCode(kit, Buffer.from([0x22, 0xff, 0x22]))).toBe("webhook_malformed");
      },
    },
    {
      name: "gives no events or webhook_malformed for JSON of another form, never a fault of ours",
      run: async () => {
        for (const text of oddBodies) {
          const code = (await parseCode(kit, Buffer.from(text))) ?? "parsed";
          expect(`${text} ${code}`).toMatch(/ (parsed|webhook_malformed)$/);
        }
      },
    },
  ];
}

async function parseCode(kit: Kit, body: Buffer): Promise<string | undefined> {
  const webhook = await kit.suite.open([kit.suite.secrets[0]]);
  const request = kit.signed({ body });
  return codeOf(() => expectValidEvents(webhook.parse(request)));
}

function flipByte(body: Buffer): Buffer {
  const copy = Buffer.from(body);
  const at = copy.length - 2;
  copy.writeUInt8(copy.readUInt8(at) ^ 1, at);
  return copy;
}

// The same value in another spelling: what a framework that parses first would hand over.
function writeAnew(body: Buffer): Buffer {
  const text = JSON.stringify(JSON.parse(body.toString("utf8")), undefined, 1);
  return Buffer.from(text === body.toString("utf8") ? `${text} ` : text);
}
