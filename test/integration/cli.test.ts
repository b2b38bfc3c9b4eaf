import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Status } from "../../src/cli/status.ts";
import type { EventStory } from "../../src/cli/event-story.ts";
import type { DeadLetter } from "../../src/ledger/reader.ts";
import type { PostgresLedger } from "../../src/ledger/postgres.ts";
import { openLedger } from "../../src/ledger/postgres.ts";
import type { EventInput } from "../../src/model/event.ts";
import type { Connection } from "../../src/sdk/connector.ts";
import type { CommandResult } from "../support/command.ts";
import { jsonOf, runCommand } from "../support/command.ts";
import { appendOf, failedFulfillment } from "../support/events.ts";
import { fakeDesk, minutely, registryWith } from "../support/fake-connectors.ts";
import type { FreshDatabase } from "../support/postgres.ts";
import { freshDatabase } from "../support/postgres.ts";

let database: FreshDatabase;
let ledger: PostgresLedger;
let folder: string;
let config: string;

const configuration = `
connections:
  shop: { use: shop }
  desk: { use: desk }
flows:
  errors:
    on: { connection: shop, events: [fulfillment.failed] }
    do:
      - ticket.open:
          at: desk
          key: "f:{{ event.data.fulfillment.id }}"
          requester: { email: "{{ event.data.customer.email }}" }
          subject: "Order {{ event.data.order.name }}"
          message: "{{ event.data.fulfillment.message }}"
`;

beforeAll(async () => {
  database = await freshDatabase();
  ledger = await openLedger({ databaseUrl: database.url, maxWaitingAppends: 1000, onError: () => undefined });
  folder = mkdtempSync(join(tmpdir(), "deskbridge-cli-"));
  config = join(folder, "deskbridge.yaml");
  writeFileSync(config, configuration);
});
afterAll(async () => {
  await ledger.close();
  await database.drop();
  rmSync(folder, { recursive: true });
});
beforeEach(async () => {
  await ledger.pool.query(
    "truncate event, delivery, attempt, intervention, lane_lease, target_pause, source_cursor restart identity",
  );
});

/** The time in the life of a failed fulfillment a minute. */
const eventAt = (time: string): EventInput => {
  const minute = String(Date.parse(time) / 60_000);
  const { source: _source, ...event } = failedFulfillment(`e-${minute}`, minute, { time });
  return event as EventInput;
};

let beforePage: (from: string, signal: AbortSignal) => Promise<void> = async () => undefined;
const shop: Connection = {
  ...minutely(eventAt, (from, signal) => beforePage(from, signal)),
  enrich: async (event) =>
    event.subject === "order/lacking"
      ? { ...event, data: { ...failedFulfillment("x", "found").data } }
      : event,
  check: async () => [{ name: "credential", ok: true, detail: "accepted" }],
};
const registry = registryWith({ shop, desk: fakeDesk });

async function run(...words: string[]): Promise<CommandResult> {
  return runCommand(words, { registry, variables: { DATABASE_URL: database.url } });
}

/** Three deliveries: done with a ticket, dead, pending and due. */
async function fillLedger(): Promise<void> {
  for (const [id, order] of [
    ["e-done", "1"],
    ["e-dead", "2"],
  ] as const) {
    const lane = `order/${order}`;
    await ledger.append(appendOf(failedFulfillment(id, order), { lane }));
    const claim = await ledger.claim("desk", [lane], 60_000);
    if (claim.kind !== "leased") throw new Error("the lane is free, so it is leased");
    const [{ lease, mail }] = claim.lanes as [(typeof claim.lanes)[number]];
    const base = { startedAt: Date.parse("2026-11-22T10:00:01Z"), durationMs: 31 };
    const receipts = [
      { operation: "ticket.open", result: "created", kind: "ticket", id: "tkt_8", number: "1042" },
    ];
    const isDone = id === "e-done";
    const fault = { code: "target_rejected", message: "the subject is too long" };
    await ledger.settle(
      lease,
      [
        {
          delivery: mail[0]?.delivery ?? 0,
          status: isDone ? "done" : "dead",
          counts: true,
          attempt: isDone
            ? { ...base, outcome: "done", receipts }
            : { ...base, ...fault, outcome: "dead", receipts: [] },
        },
      ],
      60_000,
    );
  }
  await ledger.append(appendOf(failedFulfillment("e-pending", "3"), { lane: "order/3" }));
}

describe("status", () => {
  it("counts what is in the ledger, target by target, with the depth of the queue", async () => {
    await fillLedger();
    await ledger.pauseTarget("desk", 60_000, "desk: target_rate_limited");
    const result = await run("status", "--json");
    expect(result).toMatchObject({ code: 0, stderr: "" });
    const status = jsonOf(result) as Status;
    expect(status).toMatchObject({
      events: 3,
      deliveries: { pending: 1, done: 1, skipped: 0, dead: 1 },
      queueFault: null,
      budgets: [],
      targets: [{ target: "desk", pending: 1, due: 1, dead: 1, pauseReason: "desk: target_rate_limited" }],
    });
    expect(status.targets[0]?.rings).toEqual({ waiting: 0, active: 0, delayed: 0 });
    expect(status.targets[0]?.pausedSeconds).toBeGreaterThan(0);
    const { stdout } = await run("status");
    expect(stdout).toContain("3 events; deliveries: 1 pending, 1 done, 0 skipped, 1 dead");
    expect(stdout).toMatch(/^desk +1 +1 +1 /m);
  });

  it("is told of an empty ledger too, and needs no configuration", async () => {
    const { code, stdout } = await run("status");
    expect(code).toBe(0);
    expect(stdout).toContain("0 events; deliveries: 0 pending, 0 done, 0 skipped, 0 dead");
  });

  it("fails in one line when the database is not there", async () => {
    const variables = { DATABASE_URL: "postgres://nobody:s3cret-password@127.0.0.1:1/none" };
    const { code, stdout, stderr } = await runCommand(["status"], { variables });
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/^ledger_unavailable: /);
    expect(stderr).not.toContain("s3cret-password");
    expect(stderr).not.toMatch(/^\s+at /m);
  });
});

describe("dead", () => {
  const listed = async (...words: string[]): Promise<readonly DeadLetter[]> =>
    jsonOf(await run("dead", "list", "--json", ...words)) as DeadLetter[];

  it("lists dead letters with the reason, also of one flow only", async () => {
    await fillLedger();
    const letters = await listed();
    expect(letters).toMatchObject([
      { flow: "errors", target: "desk", eventId: "e-dead", code: "target_rejected", status: "dead" },
    ]);
    expect(await listed("--flow", "other")).toEqual([]);
    expect((await run("dead", "list")).stdout).toContain("target_rejected: the subject is too long");
    expect((await run("dead", "list", "--flow", "other")).stdout).toBe("No dead letters.\n");
  });

  it("shows one with its attempts and what to do, its data only when asked", async () => {
    await fillLedger();
    const id = String((await listed())[0]?.id);
    const { code, stdout } = await run("dead", "show", id);
    expect(code).toBe(0);
    expect(stdout).toContain("attempt 1, 31 ms: dead: target_rejected: the subject is too long");
    expect(stdout).toContain(`deskbridge dead retry ${id}`);
    expect(stdout).not.toContain("@example.com");
    expect((await run("dead", "show", id, "--json")).stdout).not.toContain("@example.com");
    expect((await run("dead", "show", id, "--show-data")).stdout).toContain("buyer2@example.com");
    expect(await run("dead", "show", "999")).toMatchObject({ code: 1, stdout: "" });
  });

  it("makes them pending again and rings for their lanes", async () => {
    await fillLedger();
    const id = (await listed())[0]?.id ?? 0;
    expect(await run("dead", "retry", "999")).toMatchObject({ code: 1 });
    const { code, stdout } = await run("dead", "retry", String(id), "999");
    expect(code).toBe(0);
    expect(stdout).toBe("1 dead letter is pending again. Not dead letters that can be retried: 999.\n");
    const status = jsonOf(await run("status", "--json")) as Status;
    expect(status.deliveries).toMatchObject({ pending: 2, dead: 0 });
    expect(status.targets[0]?.rings?.waiting).toBe(1);
    expect(jsonOf(await run("dead", "retry", "--all", "--json"))).toEqual({ retried: [] });
  });
});

describe("explain", () => {
  const explained = async (...words: string[]): Promise<readonly EventStory[]> =>
    jsonOf(await run("explain", "--json", "--config", config, ...words)) as EventStory[];

  it("tells the whole way of an event, up to the ticket", async () => {
    await fillLedger();
    const { code, stdout, stderr } = await run("explain", "e-done", "--config", config);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain("e-done fulfillment.failed about order/1, from shop");
    expect(stdout).toContain("received as a webhook");
    expect(stdout).toContain("attempt 1, 31 ms: done");
    expect(stdout).toContain("ticket.open: created ticket tkt_8 (#1042)");
    expect(stdout).toMatch(/subject: ••• \(8 characters\)/);
    expect(stdout).not.toContain("@example.com");
  });

  it("finds it by its number too, and shows the data when asked", async () => {
    await fillLedger();
    const [byId] = await explained("e-dead", "--show-data");
    expect(byId?.event).toMatchObject({ id: "e-dead", source: "shop", subject: "order/2" });
    expect(JSON.stringify(byId?.event.data)).toContain("buyer2@example.com");
    const [byNumber] = await explained(String(byId?.event.sequence));
    expect(byNumber?.event).not.toHaveProperty("data");
    expect(byNumber?.flows[0]).toMatchObject({ flow: "errors", matched: true, configured: true });
  });

  it("prints events that `try` takes", async () => {
    await fillLedger();
    const [story] = await explained("e-done", "--show-data");
    const file = join(folder, "event.json");
    writeFileSync(file, JSON.stringify(story?.event));
    const { code, stdout } = await run("try", "errors", "--config", config, "--event", file);
    expect(code).toBe(0);
    expect(stdout).toContain("email: buyer1@example.com");
  });

  it("asks the event's system for what it lacks, unless it is told not to", async () => {
    const event = failedFulfillment("e-lacking", "lacking");
    const { customer: _customer, ...data } = event.data as { customer: unknown };
    await ledger.append(appendOf({ ...event, data } as typeof event));
    const [enriched] = await explained("e-lacking");
    expect(enriched?.enrichment).toEqual({ kind: "done" });
    expect(enriched?.flows[0]?.answer).toMatchObject({ kind: "maps" });
    const [bare] = await explained("e-lacking", "--no-enrich");
    expect(bare?.enrichment).toEqual({ kind: "none" });
    expect(bare?.flows[0]?.answer).toMatchObject({ kind: "fails", code: "mapping_failed" });
  });

  it("tells what is on record when the configuration does not load, and says so on stderr", async () => {
    await fillLedger();
    const { code, stdout, stderr } = await run("explain", "e-done", "--config", join(folder, "nowhere.yaml"));
    expect(code).toBe(0);
    expect(stdout).toContain("ticket.open: created ticket tkt_8 (#1042)");
    expect(stderr).toMatch(/^warning: told without the flows.*config_unreadable/);
  });

  it("fails for an event that the ledger does not have", async () => {
    const { code, stdout, stderr } = await run("explain", "e-unknown", "--config", config);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain("not_found: the ledger has no event e-unknown");
  });
});

describe("backfill and poll", () => {
  const since = "2026-11-22T10:00:00Z";
  const until = "2026-11-22T10:10:00Z";
  const backfill = (...words: string[]): Promise<CommandResult> =>
    run("backfill", "shop", "--config", config, "--since", since, "--until", until, ...words);

  it("bring in history behind live events, and say how much was new", async () => {
    const result = await backfill("--json");
    expect(result.code).toBe(0);
    expect(jsonOf(result)).toEqual({
      connection: "shop",
      sources: [
        {
          source: "orders",
          since: "2026-11-22T10:00:00.000Z",
          until: "2026-11-22T10:10:00.000Z",
          accepted: 10,
          duplicates: 0,
          complete: true,
        },
      ],
    });
    expect(result.stderr).toContain("shop orders: 100 %, 10 new events, 0 known already");
    const { rows } = await ledger.pool.query("select distinct priority from delivery");
    expect(rows).toEqual([{ priority: 1 }]);
    expect(jsonOf(await backfill("--json"))).toMatchObject({
      sources: [{ accepted: 0, duplicates: 0, complete: true }],
    });
  });

  it("stop at Ctrl-C where the same command goes on, without an end too", async () => {
    const pages: string[] = [];
    beforePage = async (from) => {
      pages.push(from);
      if (pages.length === 3) process.emit("SIGINT");
    };
    const stopped = await run("backfill", "shop", "--config", config, "--since", since);
    expect(stopped.code).toBe(1);
    expect(stopped.stdout).toContain("6 new events, 0 known already; stopped; run the same command to go on");
    beforePage = async (from) => {
      pages.push(from);
      if (from >= "2026-11-22T10:20") process.emit("SIGINT");
    };
    const again = await run("backfill", "shop", "--config", config, "--since", since);
    beforePage = async () => undefined;
    expect(pages[3]).toBe("2026-11-22T10:06:00.000Z");
    expect(again.stderr).toMatch(/^going on with the backfill of orders up to .* that was cut off/);
    expect(again.stdout).toContain("0 known already");
  });

  it("fail with the vendor's fault, told in a line, and go on after it", async () => {
    beforePage = async (from) => {
      if (from === "2026-11-22T10:04:00.000Z") throw new Error("the vendor is away");
    };
    const failed = await backfill();
    beforePage = async () => undefined;
    expect(failed).toMatchObject({ code: 1, stdout: "" });
    expect(failed.stderr).toContain("internal: the vendor is away");
    expect(jsonOf(await backfill("--json"))).toMatchObject({ sources: [{ accepted: 6, duplicates: 0 }] });
  });

  it("say what connections and sources there are", async () => {
    expect((await run("backfill", "shopp", "--config", config, "--since", since)).stderr).toContain(
      "Did you mean `shop`?",
    );
    expect((await run("poll", "desk", "--config", config)).stderr).toContain("capability_missing");
    expect((await run("poll", "shop", "--source", "refunds", "--config", config)).stderr).toContain(
      "it has orders",
    );
  });

  it("poll once from where the last poll stopped", async () => {
    const time = new Date(Date.now() - 3 * 60_000).toISOString();
    await ledger.appendPage([], { connection: "shop", source: "orders", cursor: { time, seen: [] } });
    const result = await run("poll", "shop", "--config", config, "--json");
    expect(result.code).toBe(0);
    expect(jsonOf(result)).toMatchObject({
      connection: "shop",
      sources: [{ source: "orders", duplicates: 0 }],
    });
    const { rows } = await ledger.pool.query("select distinct via from event");
    expect(rows).toEqual([{ via: "poll" }]);
  });
});

describe("doctor", () => {
  interface Report {
    readonly ok: boolean;
    readonly findings: readonly { readonly name: string; readonly state: string; readonly detail: string }[];
  }

  it("looks at everything, and warns of what is dead and of a deskbridge that does not run", async () => {
    await fillLedger();
    const variables = { DATABASE_URL: database.url, DESKBRIDGE_URL: "http://127.0.0.1:1" };
    const result = await runCommand(["doctor", "--json", "--config", config], { registry, variables });
    expect(result).toMatchObject({ code: 0, stderr: "" });
    const { ok, findings } = jsonOf(result) as Report;
    expect(ok).toBe(true);
    expect(findings.map(({ name, state }) => [name, state])).toEqual([
      ["configuration", "ok"],
      ["database", "ok"],
      ["schema", "ok"],
      ["clock", "ok"],
      ["deliveries", "warning"],
      ["queue", "ok"],
      ["connection shop: credential", "ok"],
      ["connection desk", "ok"],
      ["deskbridge", "warning"],
    ]);
  });

  it("fails for each part that is not there, and goes on to the next", async () => {
    const variables = {
      DATABASE_URL: "postgres://nobody:s3cret-password@127.0.0.1:1/none",
      REDIS_URL: "redis://127.0.0.1:1",
      DESKBRIDGE_URL: "http://127.0.0.1:1",
    };
    const broken = registryWith({
      shop: { check: async () => [{ name: "credential", ok: false, detail: "renew it" }] },
      desk: {
        ...fakeDesk,
        check: async () => {
          throw new Error("no answer");
        },
      },
    });
    const { code, stdout, stderr } = await runCommand(["doctor", "--config", config], {
      registry: broken,
      variables,
    });
    expect(code).toBe(1);
    const failed = stdout.split("\n").filter((line) => line.startsWith("✗"));
    expect(failed.map((line) => line.split(": ")[0])).toEqual([
      "✗ database",
      "✗ queue",
      "✗ connection shop",
      "✗ connection desk",
    ]);
    expect(stdout + stderr).not.toContain("s3cret-password");
  });

  it("tells every problem of the configuration", async () => {
    const bad = join(folder, "bad.yaml");
    writeFileSync(bad, configuration.replace("event.data.order.name", "event.data.order.nmae"));
    const { code, stdout } = await run("doctor", "--config", bad);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^✗ configuration: config_invalid: .*\n +.*bad\.yaml:\d+:\d+ /m);
    expect(stdout).toContain("✓ database: PostgreSQL");
  });
});

describe("keys", () => {
  it("are made, shown once, listed without the key, and revoked", async () => {
    const made = await run("keys", "create", "--name", "ci", "--scopes", "tickets:read,tickets:write");
    expect(made.code).toBe(0);
    expect(made.stdout).toMatch(/^dbk_[\w-]{43}\n$/);
    expect(made.stderr).toContain("(ci) may use tickets:read, tickets:write");
    const key = made.stdout.trim();
    const listed = await run("keys", "list");
    expect(listed.stdout).toContain("tickets:read tickets:write");
    expect(listed.stdout).not.toContain(key);
    const [first] = jsonOf(await run("keys", "list", "--json")) as { id: string }[];
    expect(await run("keys", "revoke", first?.id ?? "")).toMatchObject({
      code: 0,
      stdout: `${first?.id} (ci) is revoked.\n`,
    });
    expect((await run("keys", "list")).stdout).toContain("revoked just now");
    expect(await run("keys", "revoke", "key_999")).toMatchObject({ code: 1, stdout: "" });
  });
});
