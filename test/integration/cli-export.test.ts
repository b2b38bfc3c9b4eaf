import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CommandResult } from "../support/command.ts";
import { jsonOf, runCommand } from "../support/command.ts";
import type { DeskStand } from "../support/desk.ts";
import { openDeskStand } from "../support/desk.ts";

let stand: DeskStand;
let folder: string;
let config: string;

beforeAll(async () => {
  stand = await openDeskStand();
  folder = mkdtempSync(join(tmpdir(), "deskbridge-cli-export-"));
  config = join(folder, "deskbridge.yaml");
  writeFileSync(
    config,
    `
connections:
  desk: { use: deskbridge }
  lake: { use: parquet, path: ${join(folder, "lake")} }
  other: { use: csv, path: "\${file:${join(folder, "missing")}}" }
exports:
  nightly:
    from: desk
    to: lake
    datasets: [tickets, { name: messages, where: row.visibility == "public" }, contacts]
    personal: { contact: hash, identity: drop, hashKey: not-for-real-use-but-long }
  other:
    from: desk
    to: other
    datasets: [orders]
`,
  );
});

afterAll(async () => {
  await stand.close();
  rmSync(folder, { recursive: true, force: true });
});

function run(...words: string[]): Promise<CommandResult> {
  return runCommand(["export", ...words, "--config", config], {
    variables: { DATABASE_URL: stand.databaseUrl, DESKBRIDGE_API_KEY: stand.adminKey },
  });
}

async function openTicket(subject: string): Promise<void> {
  const { status } = await stand.send({
    method: "POST",
    path: "/v1/tickets",
    body: {
      subject,
      requester: { email: "jane@example.com", name: "Jane Doe" },
      message: { text: `About ${subject}` },
    },
  });
  expect(status).toBe(201);
}

describe("the command line of exports", () => {
  it("lists what is configured, also where a secret is missing", async () => {
    const result = await run("list", "--json");
    expect(result.code).toBe(0);
    expect(jsonOf(result)).toMatchObject([{ name: "nightly" }, { name: "other" }]);
  });

  it("shows rows of a dataset without a warehouse being open, and as an export would write them", async () => {
    await openTicket("a lost parcel");
    const plain = await run("preview", "contacts", "--json");
    expect(jsonOf(plain)).toMatchObject({ rows: [{ email: "jane@example.com", name: "Jane Doe" }] });
    const written = await run("preview", "contacts", "--export", "nightly", "--json");
    const { rows } = jsonOf(written) as { readonly rows: readonly Record<string, unknown>[] };
    expect(rows).toHaveLength(1);
    expect(rows[0]).not.toHaveProperty("name");
    expect(rows[0]?.["email"]).toMatch(/^[0-9a-f]{64}$/);
  });

  it("runs an export, tells what it did, and finds nothing to do the second time", async () => {
    const first = await run("run", "nightly", "--json");
    expect(first).toMatchObject({ code: 0 });
    expect(jsonOf(first)).toMatchObject({ state: "done", rows: 3, datasets: { tickets: { inserted: 1 } } });
    expect(jsonOf(await run("run", "nightly", "--json"))).toMatchObject({ state: "done", rows: 0 });
    expect(first.stdout + first.stderr).not.toContain("jane");
  });

  it("tells how the exports stand", async () => {
    const [nightly, other] = jsonOf(await run("status", "--json")) as readonly Record<string, unknown>[];
    expect(nightly).toMatchObject({ export: "nightly", state: "done" });
    expect(other).toMatchObject({ export: "other", state: "never ran" });
  });

  it("finds what the warehouse lacks, day by day, and puts it right", async () => {
    expect(jsonOf(await run("verify", "nightly", "--json"))).toMatchObject({ same: true });
    await openTicket("a late parcel");
    const behind = await run("verify", "nightly", "--json");
    expect(behind.code).toBe(1);
    expect(jsonOf(behind)).toMatchObject({ same: false });
    await run("verify", "nightly", "--repair", "--json");
    expect(jsonOf(await run("verify", "nightly", "--json"))).toMatchObject({ same: true });
  });

  it("refuses what cannot be meant", async () => {
    const faults = [
      [["run", "nihgtly"], "Did you mean `nightly`?"],
      [["run", "nightly", "--from", "2026-12-01", "--to", "2026-11-01"], "--to is before --from"],
      [["run", "nightly", "--from", "yesterday"], "yesterday"],
      [["run", "other"], "missing"],
      [["preview", "tickts"], "tickets"],
    ] as const;
    for (const [words, told] of faults) {
      const result = await run(...words);
      expect(result.code).not.toBe(0);
      expect(result.stderr).toContain(told);
    }
  });
});
