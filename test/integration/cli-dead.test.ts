import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { runCommandLine } from "../../src/cli/command-line.ts";
import type { EventStory } from "../../src/cli/event-story.ts";
import type { Status } from "../../src/cli/status.ts";
import type { DeadLetter, FullDeadLetter } from "../../src/ledger/reader.ts";
import type { AttemptRecord, Mail, Settlement } from "../../src/ledger/ledger.ts";
import type { PostgresLedger } from "../../src/ledger/postgres.ts";
import { openLedger } from "../../src/ledger/postgres.ts";
import type { CommandResult } from "../support/command.ts";
import { capture, jsonOf, runCommand } from "../support/command.ts";
import { appendOf, failedFulfillment } from "../support/events.ts";
import { fakeDesk, registryWith } from "../support/fake-connectors.ts";
import type { FreshDatabase } from "../support/postgres.ts";
import { freshDatabase } from "../support/postgres.ts";

const configuration = `
connections:
  shop: { use: shop }
  desk: { use: desk }
flows:
  errors:
    on: { connection: shop, events: [fulfillment.failed] }
    onDead: hold
    do:
      - ticket.open:
          at: desk
          key: "f:{{ event.data.fulfillment.id }}"
          requester: { email: "{{ event.data.customer.email }}" }
          subject: "Order {{ event.data.order.name }}"
          message: "{{ event.data.fulfillment.message }}"
`;

let database: FreshDatabase;
let ledger: PostgresLedger;
let folder: string;
let config: string;
const registry = registryWith({ shop: {}, desk: fakeDesk });

beforeAll(async () => {
  database = await freshDatabase();
  ledger = await openLedger({ databaseUrl: database.url, maxWaitingAppends: 1000, onError: () => undefined });
  folder = mkdtempSync(join(tmpdir(), "deskbridge-cli-dead-"));
  config = put("deskbridge.yaml", configuration);
});
afterAll(async () => {
  await ledger.close();
  await database.drop();
  rmSync(folder, { recursive: true });
});
beforeEach(async () => {
  await ledger.pool.query(
    "truncate event, delivery, attempt, intervention, effect, lane_lease, target_pause restart identity",
  );
});

function put(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

async function run(...words: string[]): Promise<CommandResult> {
  return runCommand(words, { registry, variables: { DATABASE_URL: database.url } });
}

/** Runs a command where somebody sits at the terminal and answers. */
async function runAttended(
  answer: string,
  words: readonly string[],
  variables: Readonly<Record<string, string>> = {},
): Promise<{ readonly code: number; readonly said: string }> {
  const stderr = capture((text) => {
    if (text.includes("[y/N]")) stdin.write(`${answer}\n`);
  }, 100);
  const stdin = Object.assign(new PassThrough(), { isTTY: true });
  const code = await runCommandLine(words, {
    registry,
    variables: { DATABASE_URL: database.url, ...variables },
    stdout: capture().stream,
    stderr: stderr.stream,
    stdin,
  });
  return { code, said: stderr.text() };
}

async function lead(): Promise<readonly Mail[]> {
  const claim = await ledger.claim("desk", ["order/1"], 60_000);
  return claim.kind === "leased" ? (claim.lanes[0]?.mail ?? []) : [];
}

/** An event whose delivery has died and holds its lane, and one behind it; returns the dead delivery's id. */
async function oneDies(
  code = "target_rejected",
  facts: Partial<Settlement> = { hold: true },
): Promise<number> {
  await ledger.append(appendOf(failedFulfillment("e-dead", "1")));
  await ledger.append(appendOf(failedFulfillment("e-next", "1")));
  const claim = await ledger.claim("desk", ["order/1"], 60_000);
  if (claim.kind !== "leased") throw new Error("the lane is free, so it is leased");
  const [{ lease, mail }] = claim.lanes as [(typeof claim.lanes)[number]];
  const attempt: AttemptRecord = {
    startedAt: Date.now(),
    durationMs: 31,
    outcome: "dead",
    code,
    message: "the subject is too long",
    config: "c0ffee123456",
    operations: [
      { name: "ticket.open", input: { subject: "Order #1", requester: { email: "a@example.com" } } },
    ],
    receipts: [],
  };
  const delivery = mail[0]?.delivery ?? 0;
  const settled = await ledger.settle(
    lease,
    [{ delivery, status: "dead", counts: true, attempt, ...facts }],
    60_000,
  );
  if (settled.lease !== undefined) await ledger.release(settled.lease);
  return delivery;
}

describe("a dead letter that holds its lane", () => {
  it("is seen in status, list, show and explain, with what waits behind it", async () => {
    const id = await oneDies();
    const status = jsonOf(await run("status", "--json")) as Status;
    expect(status).toMatchObject({
      deliveries: { pending: 1, dead: 1 },
      targets: [{ pending: 1, due: 0, dead: 1, heldLanes: 1, heldWaiting: 1 }],
    });
    expect((await run("status")).stdout).toContain(
      "1 lane stands still behind a dead letter; 1 delivery waits there until somebody decides.",
    );
    expect(jsonOf(await run("dead", "list", "--json"))).toMatchObject([{ id, holds: true, waiting: 1 }]);
    expect((await run("dead", "list")).stdout).toMatch(/ 1 waiting +target_rejected/);
    const { stdout } = await run("dead", "show", String(id));
    expect(stdout).toContain("It holds its lane: 1 delivery behind it.");
    expect(stdout).toContain("configuration c0ffee123456");
    expect(stdout).toMatch(/it had mapped to\n +ticket\.open\n +subject: ••• \(8 characters\)/);
    expect((await run("explain", "e-dead", "--config", config)).stdout).toContain("it holds its lane");
    expect((await run("explain", "e-next", "--config", config)).stdout).toContain(
      `waits behind dead letter ${id}, which holds the lane`,
    );
  });

  it("shows what was mapped when asked, and to nobody else", async () => {
    const id = String(await oneDies());
    for (const words of [
      ["dead", "show", id],
      ["explain", "e-dead", "--config", config],
    ]) {
      for (const more of [[], ["--json"]]) {
        expect((await run(...words, ...more)).stdout).not.toContain("a@example.com");
        expect((await run(...words, ...more, "--show-data")).stdout).toContain("a@example.com");
      }
    }
  });
});

describe("dead edit", () => {
  it("changes values for this delivery, tries it again, and tells what was changed", async () => {
    const id = String(await oneDies());
    const result = await run(
      "dead",
      "edit",
      id,
      "--set",
      "fulfillment.message=moved house",
      "--unset",
      "customer",
    );
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(result.stdout).toBe(
      `2 values changed for dead letter ${id}: fulfillment.message, customer.\nIt is pending again.\n`,
    );
    const status = jsonOf(await run("status", "--json")) as Status;
    expect(status.targets[0]?.rings?.waiting).toBeGreaterThan(0);
    const [first, second] = await lead();
    expect(first?.event.data).toMatchObject({ fulfillment: { message: "moved house" } });
    expect(first?.event.data).not.toHaveProperty("customer");
    expect(second?.event.data).toMatchObject({ fulfillment: { message: "address not found" } });
    const shown = await run("explain", "e-dead", "--config", config);
    expect(shown.stdout).toMatch(
      /edited by hand\n +fulfillment\.message: ••• \(17 characters\) → ••• \(11 characters\)/,
    );
    const [story] = jsonOf(
      await run("explain", "e-dead", "--config", config, "--json", "--show-data"),
    ) as EventStory[];
    expect(story?.event.data).toEqual(failedFulfillment("e-dead", "1").data);
    // Without its customer the event no longer maps, and that is what the configuration says of it now.
    expect(story?.flows[0]).toMatchObject({
      delivery: { editedData: { fulfillment: { message: "moved house" } } },
      answer: { kind: "fails" },
    });
  });

  it("refuses what is no data of the event's type, and stores nothing", async () => {
    const id = String(await oneDies());
    const wrong = await run("dead", "edit", id, "--set", "order.total.minor=much");
    expect(wrong).toMatchObject({ code: 1, stdout: "" });
    expect(wrong.stderr).toContain("data.order.total.minor");
    const file = put("data.json", '{"order": {}}');
    expect(await run("dead", "edit", id, "--event-data", file)).toMatchObject({ code: 1 });
    expect(await run("dead", "edit", id, "--set", "fulfillment.message=address not found")).toMatchObject({
      code: 1,
      stderr: "bad_request: the data is the same as before\n",
    });
    expect(await run("dead", "edit", id)).toMatchObject({ code: 1 });
    const letter = jsonOf(await run("dead", "show", id, "--json")) as FullDeadLetter;
    expect(letter.way.deliveries[0]).toMatchObject({ editedData: null, interventions: [] });
  });

  it("takes whole data from a file, and leaves the letter dead when told to", async () => {
    const id = String(await oneDies());
    const file = put("whole.json", JSON.stringify(failedFulfillment("x", "77").data));
    const edited = await run("dead", "edit", id, "--event-data", file, "--no-retry", "--json");
    expect(jsonOf(edited)).toMatchObject({ edited: Number(id), retried: false });
    expect(jsonOf(await run("dead", "list", "--json"))).toMatchObject([{ id: Number(id), holds: true }]);
    expect((await run("dead", "show", id, "--show-data")).stdout).toContain("data as edited");
    await run("dead", "retry", id);
    expect((await lead())[0]?.event.data).toEqual(failedFulfillment("x", "77").data);
  });

  it("opens the data in the editor of whoever sits at the terminal", async () => {
    const id = String(await oneDies());
    const editor = put("editor.sh", '#!/bin/sh\nsed -i "s/address not found/by hand/" "$1"\n');
    chmodSync(editor, 0o755);
    expect(await runAttended("", ["dead", "edit", id], { EDITOR: editor })).toMatchObject({ code: 0 });
    expect((await lead())[0]?.event.data).toMatchObject({ fulfillment: { message: "by hand" } });
  });

  it("changes nothing when the editor fails", async () => {
    const id = String(await oneDies());
    const result = await runAttended("", ["dead", "edit", id], { EDITOR: "false" });
    expect(result).toMatchObject({ code: 1 });
    expect(result.said).toContain("the editor ended with a failure");
    expect(jsonOf(await run("dead", "list", "--json"))).toHaveLength(1);
  });
});

describe("dead discard and dead retry", () => {
  it("end a letter with the reason, and let its lane go on", async () => {
    const id = String(await oneDies());
    expect(await run("dead", "discard", id)).toMatchObject({ code: 2 });
    expect(await run("dead", "discard", id, "--reason", "a test order")).toMatchObject({
      code: 0,
      stdout: "1 dead letter is discarded.\n",
    });
    expect((await lead()).map((mail) => mail.event.id)).toEqual(["e-next"]);
    expect((await run("explain", "e-dead", "--config", config)).stdout).toMatch(
      /skipped\n(.*\n)+.*discarded by hand: a test order/,
    );
    expect(await run("dead", "discard", id, "--reason", "again")).toMatchObject({ code: 1 });
  });

  it("ask before they do something to all, on a terminal, unless told not to", async () => {
    await oneDies();
    const no = await runAttended("n", ["dead", "discard", "--all", "--reason", "x"]);
    expect(no).toMatchObject({ code: 1 });
    expect(no.said).toContain("Discard 1 dead letter? [y/N]");
    expect(no.said).toContain("Nothing was done.");
    expect(jsonOf(await run("dead", "list", "--json"))).toHaveLength(1);
    const yes = await runAttended("y", ["dead", "retry", "--flow", "errors"]);
    expect(yes).toMatchObject({ code: 0 });
    expect(yes.said).toContain("Retry 1 dead letter of flow errors? [y/N]");
    expect(jsonOf(await run("dead", "list", "--json"))).toEqual([]);
    const quiet = await runAttended("n", ["dead", "retry", "--all", "--yes"]);
    expect(quiet).toEqual({ code: 0, said: "" });
  });

  it("warn of letters whose flow or target the configuration has no more", async () => {
    const id = String(await oneDies());
    const other = put("other.yaml", configuration.replace("errors:", "faults:"));
    const warned = await run("dead", "retry", id, "--config", other);
    expect(warned.code).toBe(0);
    expect(warned.stderr).toBe(
      "warning: 1 dead letter of flow errors, which is not configured any more: it dies again\n",
    );
    const again = await oneDiesAgain();
    const gone = put(
      "gone.yaml",
      configuration.replace("desk: { use", "helpdesk: { use").replace("at: desk", "at: helpdesk"),
    );
    expect((await run("dead", "retry", String(again), "--config", gone)).stderr).toContain(
      "for desk, which is no connection any more",
    );
    const quiet = await oneDiesAgain();
    expect(await run("dead", "retry", String(quiet), "--config", config)).toMatchObject({
      code: 0,
      stderr: "",
    });
  });

  /** Kills the head of the lane once more. */
  async function oneDiesAgain(): Promise<number> {
    const { rows } = await ledger.pool.query<{ id: number }>(
      `update delivery set status = 3, code = 'x', reason = 'y' where id = (select min(id) from delivery) returning id`,
    );
    return rows[0]?.id ?? 0;
  }
});

describe("dead resolve", () => {
  it("puts on record what became of a write, and goes on", async () => {
    const id = await oneDies("effect_unknown");
    await ledger.pool.query(
      "insert into effect (effect_key, step, connection, state, delivery, sent_at) values ('k', 'create', 'desk', 2, $1, now())",
      [id],
    );
    expect((await run("dead", "show", String(id))).stdout).toContain(
      `deskbridge dead resolve ${id} --as done`,
    );
    expect(await run("dead", "resolve", String(id))).toMatchObject({ code: 2 });
    const resolved = await run("dead", "resolve", String(id), "--as", "unsent", "--json");
    expect(jsonOf(resolved)).toEqual({ resolved: id, as: "unsent" });
    const { rows } = await ledger.pool.query("select state from effect");
    expect(rows).toEqual([{ state: 1 }]);
    expect(jsonOf(await run("dead", "list", "--json"))).toEqual([]);
  });

  it("is for letters that died of an unknown outcome only", async () => {
    const id = String(await oneDies());
    const { code, stderr } = await run("dead", "resolve", id, "--as", "done");
    expect(code).toBe(1);
    expect(stderr).toContain("died with target_rejected, not with effect_unknown");
    expect(await run("dead", "resolve", "999", "--as", "done")).toMatchObject({ code: 1 });
  });
});

describe("replay", () => {
  const replay = (...words: string[]): Promise<CommandResult> =>
    run("replay", "--flow", "errors", "--since", "2026-01-01", "--config", config, ...words);

  it("says what it would do, does it, and says what it did", async () => {
    await oneDies("target_rejected", {});
    await ledger.pool.query("update delivery set status = 1 where status = 0");
    const dry = await replay("--dry-run");
    expect(dry.stdout.split("\n").map((line) => line.trim())).toEqual([
      expect.stringMatching(/^1 +e-dead fulfillment\.failed about order\/1$/) as string,
      "would send ticket.open",
      expect.stringMatching(/^2 +e-next/) as string,
      "would send ticket.open",
      "2 events: 2 operations would be sent, 0 on record already, 0 skipped, 0 would fail, 0 left out as still pending. Nothing was done.",
      "",
    ]);
    expect(jsonOf(await replay("--dry-run", "--json", "--limit", "1"))).toMatchObject({
      flow: "errors",
      events: 1,
      plans: [{ id: "e-dead", kind: "deliver", operations: [{ operation: "ticket.open" }] }],
    });
    const done = await replay("--json");
    expect(jsonOf(done)).toMatchObject({ replayed: 2, pending: 0, failed: 0, complete: true });
    expect(done.stderr).toContain("replay errors: 100 %, 2 events replayed; left out: 0 still pending");
    expect((await replay()).stdout).toContain("0 events replayed; left out: 2 still pending");
    const letters = jsonOf(await run("dead", "list", "--json")) as DeadLetter[];
    expect(letters).toEqual([]);
    expect((await run("explain", "e-dead", "--config", config)).stdout).toContain("made by a replay at ");
  });

  it("knows its flows, event types and times", async () => {
    expect(
      (await run("replay", "--flow", "eror", "--since", "2026-01-01", "--config", config)).stderr,
    ).toContain("Did you mean");
    expect(await replay("--event-type", "order.exploded")).toMatchObject({ code: 2 });
    expect(await replay("--until", "2025-01-01")).toMatchObject({ code: 2 });
    expect(jsonOf(await replay("--event-type", "fulfillment.failed", "--json"))).toMatchObject({
      replayed: 0,
    });
  });
});
