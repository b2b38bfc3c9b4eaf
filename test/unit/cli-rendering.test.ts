import { describe, expect, it } from "vitest";
import { parseCount, parseInstant, parsePort } from "../../src/cli/argument.ts";
import { connectorTable } from "../../src/cli/connectors.ts";
import { findingLine } from "../../src/cli/doctor.ts";
import { databaseFindings } from "../../src/cli/doctor-database.ts";
import { keyTable } from "../../src/cli/keys.ts";
import { maskValues } from "../../src/cli/mask.ts";
import { createProgress } from "../../src/cli/progress.ts";
import type { Status } from "../../src/cli/status.ts";
import { statusReport } from "../../src/cli/status.ts";
import { clip, countOf, createPaint, formatTable, oneLine } from "../../src/cli/table.ts";
import { agoText, durationText } from "../../src/cli/time-text.ts";
import { capture, surroundings } from "../support/command.ts";

const escape = "\u001b";
const plain = createPaint(surroundings());
const now = Date.parse("2026-11-22T10:00:00Z");

describe("a table", () => {
  const columns = [{ title: "name" }, { title: "count", numeric: true }, { title: "why", long: true }];

  it("has two spaces between columns, no lines, and numbers to the right", () => {
    const table = formatTable(columns, [
      ["a", 1234, "x"],
      ["longer", 5, "y z"],
    ]);
    expect(table).toBe("name    count  why\na       1,234  x\nlonger      5  y z");
  });

  it("breaks its long columns where the terminal is too narrow for them", () => {
    const lines = formatTable(columns, [["a", 1, "one two three four five six seven eight"]], 40).split("\n");
    expect(lines.length).toBeGreaterThan(2);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(40);
    expect(lines.join(" ").split(/\s+/)).toEqual(expect.arrayContaining(["one", "four", "eight"]));
  });

  it("breaks a word that is too long for its column rather than cutting it off", () => {
    const word = "abcdefghij".repeat(5);
    const lines = formatTable(columns, [["a", 1, word]], 40)
      .split("\n")
      .slice(1);
    expect(lines.map((line) => line.slice(line.lastIndexOf(" ") + 1)).join("")).toBe(word);
  });

  it("keeps every row on one line in a pipe", () => {
    expect(formatTable(columns, [["a", 1, "word ".repeat(100)]]).split("\n")).toHaveLength(2);
  });
});

describe("text from outside", () => {
  it("comes without control characters and line ends", () => {
    expect(oneLine(`a${escape}[31mred\n\tb\u009b`)).toBe("a [31mred b");
  });

  it("is cut with an ellipsis", () => {
    expect(clip("abcdef", 4)).toBe("abc…");
    expect(clip("abcd", 4)).toBe("abcd");
  });

  it("is counted in the singular and the plural", () => {
    expect([countOf(1, "flow"), countOf(0, "flow"), countOf(1200, "flow")]).toEqual([
      "1 flow",
      "0 flows",
      "1,200 flows",
    ]);
  });
});

describe("colour", () => {
  it("is for terminals only, and not for those who want none", () => {
    expect(createPaint(surroundings(80)).bad("x")).toContain(escape);
    expect(createPaint(surroundings(80, { NO_COLOR: "1" })).bad("x")).toBe("x");
    expect(plain.bad("x")).toBe("x");
  });
});

describe("lengths of time", () => {
  it.each([
    [45, "45 ms"],
    [1234, "1.2 s"],
    [65_000, "65 s"],
    [240_000, "4 min"],
    [12_600_000, "3.5 h"],
    [10 * 86_400_000, "10 d"],
  ])("of %i ms are told as %s", (ms, text) => {
    expect(durationText(ms)).toBe(text);
  });

  it("are told from now", () => {
    expect(agoText(now - 5000, now)).toBe("5.0 s ago");
    expect(agoText(now, now)).toBe("just now");
  });
});

describe("arguments", () => {
  it("take a date for its midnight UTC, and any RFC 3339 time", () => {
    expect(parseInstant("2026-11-22")).toBe("2026-11-22T00:00:00.000Z");
    expect(parseInstant("2026-11-22T10:00:00+02:00")).toBe("2026-11-22T08:00:00.000Z");
  });

  it.each(["yesterday", "2026-02-30", "2026-11-22T10:00:00", "1763805600", ""])(
    "refuse %j as a time",
    (text) => {
      expect(() => parseInstant(text)).toThrow(/RFC 3339/);
    },
  );

  it("take ports and counts within their bounds", () => {
    expect([parsePort("0"), parsePort("65535"), parseCount("1")]).toEqual([0, 65_535, 1]);
    for (const text of ["65536", "-1", "1.5", "0x10", " 1", ""])
      expect(() => parsePort(text)).toThrow(/0 to 65535/);
    for (const text of ["0", "-3", "1e3", "99999999999999999999"])
      expect(() => parseCount(text)).toThrow(/1 or more/);
  });
});

describe("masked values", () => {
  it("keep their form and our own words, and nothing that was mapped", () => {
    const input = {
      key: "f:1",
      requester: { email: "ann@example.com" },
      priority: "high",
      orders: [{ total: { minor: 4200 } }],
      open: true,
      none: null,
    };
    expect(maskValues(input)).toEqual({
      key: "••• (3 characters)",
      requester: { email: "••• (15 characters)" },
      priority: "high",
      orders: [{ total: { minor: "•••" } }],
      open: true,
      none: null,
    });
  });
});

describe("progress", () => {
  it("is a bar drawn over itself on a terminal, its last state left standing", () => {
    const { stream, text } = capture(undefined, 120);
    let time = 0;
    const progress = createProgress(stream, "shop orders", () => time);
    for (let step = 1; step <= 50; step += 1) {
      time += 20;
      progress.show({ fraction: step / 50, text: `${step} events` });
    }
    progress.end();
    const drawn = text().split("\r").slice(1);
    expect(drawn.length).toBeLessThan(20);
    expect(drawn.at(-1)).toBe(`${escape}[Kshop orders ${"█".repeat(30)} 100 %  50 events  1.0 s\n`);
  });

  it("is a line every few seconds elsewhere, and one at the end", () => {
    const { stream, text } = capture();
    let time = 0;
    const progress = createProgress(stream, "shop orders", () => time);
    for (let step = 1; step <= 12; step += 1) {
      time += 1000;
      progress.show({ fraction: step / 12, text: `${step} events` });
    }
    progress.end();
    expect(text().split("\n")).toEqual([
      "shop orders: 41 %, 5 events, 5.0 s",
      "shop orders: 83 %, 10 events, 10 s",
      "shop orders: 100 %, 12 events, 12 s",
      "",
    ]);
  });

  it("says nothing when nothing came", () => {
    const { stream, text } = capture(undefined, 80);
    createProgress(stream, "x", () => 0).end();
    expect(text()).toBe("");
  });

  it("never draws a line that would wrap", () => {
    const { stream, text } = capture(undefined, 40);
    createProgress(stream, "a connection with a long name", () => 0).show({
      fraction: 1,
      text: "z".repeat(99),
    });
    expect(text().replace(`\r${escape}[K`, "")).toHaveLength(39);
  });
});

describe("the status", () => {
  const status: Status = {
    events: 1240,
    deliveries: { pending: 12, done: 1200, skipped: 20, dead: 8 },
    queueFault: null,
    targets: [
      {
        target: "desk",
        pending: 12,
        due: 3,
        dead: 8,
        heldLanes: 0,
        heldWaiting: 0,
        oldestDueSeconds: 4,
        pausedSeconds: 12,
        pauseReason: "desk: target_rate_limited",
        rings: { waiting: 1, active: 2, delayed: 3 },
      },
    ],
    budgets: [
      { account: "desk", limit: 40, used: 38, waiting: 7, closedMs: 0 },
      { account: "zendesk:acme", limit: 700, used: 1, waiting: 0, closedMs: 93_000 },
    ],
    cursors: [
      {
        connection: "shop",
        source: "orders",
        time: "2026-11-22T09:59:00Z",
        movedAt: "2026-11-22T09:55:00Z",
      },
      {
        connection: "shop",
        source: "backfill:orders:2026-01-01T00:00:00.000Z:2026-02-01T00:00:00.000Z",
        time: "2026-01-10T00:00:00Z",
        movedAt: "2026-11-22T09:55:00Z",
      },
    ],
  };

  it("counts events and deliveries, and shows each target with its pause and its rings", () => {
    const report = statusReport(status, plain, now);
    expect(report).toContain("1,240 events; deliveries: 12 pending, 1,200 done, 20 skipped, 8 dead");
    expect(report).toMatch(/^desk +12 +3 +8 +0 +4\.0 s +1 +2 +3 +12 s more, desk: target_rate_limited$/m);
    expect(report).toContain("deskbridge dead list");
  });

  it("shows how the rate budgets stand that were used lately, if any were", () => {
    const report = statusReport(status, plain, now);
    expect(report).toMatch(/^rate budget +limit +used +waiting +closed$/m);
    expect(report).toMatch(/^desk +40 +38 +7 +-$/m);
    expect(report).toMatch(/^zendesk:acme +700 +1 +0 +93 s more$/m);
    for (const budgets of [[], null])
      expect(statusReport({ ...status, budgets }, plain, now)).not.toContain("rate budget");
  });

  it("tells the cursor of polling from that of a backfill", () => {
    const report = statusReport(status, plain, now);
    expect(report).toMatch(/^shop +orders +2026-11-22T09:59:00Z +5 min ago$/m);
    expect(report).toMatch(
      /^shop +orders, backfill from 2026-01-01T00:00:00.000Z to 2026-02-01T00:00:00.000Z +2026-01-10T00:00:00Z +5 min ago$/m,
    );
  });

  it("is told without the queue when that does not answer", () => {
    const [target] = status.targets;
    const report = statusReport(
      { ...status, queueFault: "it is away", targets: [{ ...target!, rings: null }] },
      plain,
      now,
    );
    expect(report).toContain("The queue cannot be asked: it is away.");
    expect(report).toMatch(/^desk +12 +3 +8 +0 +4\.0 s +\? +\? +\?/m);
  });
});

describe("what doctor finds", () => {
  const healthy = {
    version: "18.4",
    major: 18,
    skewMs: 3,
    migrations: { applied: 2, known: 2 },
    counts: undefined,
  };
  const statesOf = (facts: Partial<typeof healthy>): Record<string, string> =>
    Object.fromEntries(
      databaseFindings({ ...healthy, ...facts }, "embedded").map(({ name, state }) => [name, state]),
    );

  it("is well with a database of this version and a clock that agrees", () => {
    expect(statesOf({})).toEqual({ database: "ok", schema: "ok", clock: "ok" });
  });

  it("fails an old PostgreSQL, a clock that is off, and a schema of a newer version", () => {
    expect(statesOf({ major: 13 })["database"]).toBe("failed");
    expect(statesOf({ skewMs: -5000 })["clock"]).toBe("failed");
    expect(statesOf({ migrations: { applied: 3, known: 2 } })["schema"]).toBe("failed");
  });

  it("only warns of a schema that the next start brings up to date", () => {
    expect(statesOf({ migrations: { applied: 1, known: 2 } })["schema"]).toBe("warning");
    expect(statesOf({ migrations: { applied: 0, known: 2 } })["schema"]).toBe("ok");
  });

  it("is a line with its mark, further lines under it", () => {
    const finding = { name: "configuration", state: "failed", detail: "two problems:\na\nb" } as const;
    expect(findingLine(finding, plain)).toBe("✗ configuration: two problems:\n    a\n    b");
  });
});

describe("tables of connectors and keys", () => {
  it("mark the settings that are needed, and what nobody has opened", () => {
    const settings = [
      { name: "url", required: true, description: "" },
      { name: "region", required: false, description: "" },
    ];
    const offers = {
      webhook: true,
      enrich: false,
      check: true,
      sources: ["orders"],
      operations: ["ticket.open"],
    };
    const table = connectorTable(
      [
        { name: "a", description: "A shop.", settings, offers },
        { name: "b", description: "A desk.", settings: [], offers: null },
      ],
      undefined,
    );
    expect(table).toMatch(
      /^a +A shop\. +url\* region +webhook; sources orders; desk of 1 operation; check$/m,
    );
    expect(table).toMatch(/^b +A desk\. +-$/m);
  });

  it("show keys by their first characters", () => {
    const key = {
      id: "key_1",
      name: "ci",
      hint: "dbk_abc",
      scopes: ["tickets:read"],
      createdAt: "2026-11-22T09:59:00Z",
      lastUsedAt: null,
      revokedAt: null,
    } as const;
    const table = keyTable([key, { ...key, id: "key_2", revokedAt: "2026-11-22T09:59:30Z" }], now);
    expect(table).toMatch(/^key_1 +ci +dbk_abc… +tickets:read +60 s ago +never$/m);
    expect(table).toMatch(/^key_2 +ci +dbk_abc… +revoked 30 s ago/m);
  });
});
