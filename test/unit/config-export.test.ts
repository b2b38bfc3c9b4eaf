import { createHmac } from "node:crypto";
import { expect, test } from "vitest";
import type { ExportConfig } from "../../src/config/config.ts";
import { parseConfig } from "../../src/config/parse.ts";
import { checkTargets } from "../../src/config/targets.ts";
import { formatProblem } from "../../src/flows/located.ts";
import type { Connection } from "../../src/sdk/connector.ts";
import { registryWith } from "../support/fake-connectors.ts";

const key = "a key of sixteen bytes";

async function parse(exports: string) {
  const text = `connections: { desk: { use: desk }, lake: { use: lake } }\nexports:\n${exports}`;
  const registry = registryWith({ desk: {}, lake: {} });
  return parseConfig([{ file: "a.yaml", text }], registry, { env: { KEY: key }, readFile: () => undefined });
}

async function good(exports: string): Promise<readonly ExportConfig[]> {
  const result = await parse(exports);
  if (result.ok) return result.config.exports;
  throw new Error(result.problems.map(formatProblem).join("\n"));
}

async function problemsOf(exports: string): Promise<readonly string[]> {
  const result = await parse(exports);
  return result.ok ? [] : result.problems.map(formatProblem);
}

const nightly = (rest: string): string => `  nightly: { from: desk, to: lake, ${rest} }\n`;
const columnsOf = ([one]: readonly ExportConfig[], index = 0): string[] =>
  one?.tables[index]?.table.columns.map(({ name, type }) => `${name}:${type}`) ?? [];

test("an export without a schedule is one, and has every column of its datasets", async () => {
  const exports = await good(nightly("datasets: [tickets, messages], tablePrefix: desk_"));
  expect(exports[0]?.schedule).toBeUndefined();
  expect(exports[0]?.tables.map(({ table }) => table.name)).toEqual(["desk_tickets", "desk_messages"]);
  expect(columnsOf(exports)).toHaveLength(20);
  expect(exports[0]?.tables[0]).not.toHaveProperty("where");
  expect(exports[0]?.tables[0]).not.toHaveProperty("hash");
});

test("columns that are named come in the dataset's order, with those of the key and the day", async () => {
  const exports = await good(
    nightly("datasets: [{ name: tickets, table: t, columns: [status, number] }], chunk: 5, lag: 2m"),
  );
  expect(columnsOf(exports)).toEqual(["id:string", "number:string", "status:string", "created_at:timestamp"]);
  expect(exports[0]).toMatchObject({ chunkRows: 5, lagMs: 120_000 });
  expect(exports[0]?.tables[0]?.table.name).toBe("t");
});

test("a filter is asked of rows; its columns are read though they are not exported", async () => {
  const exports = await good(
    nightly(
      `datasets: [{ name: tickets, columns: [status], where: 'row.reason == "late" || row.custom_fields.vip == true' }]`,
    ),
  );
  const table = exports[0]?.tables[0];
  expect(columnsOf(exports)).toEqual(["id:string", "status:string", "created_at:timestamp"]);
  expect(table?.read.map(({ name }) => name)).toEqual([
    "id",
    "status",
    "custom_fields",
    "reason",
    "created_at",
  ]);
  const passes = (row: Record<string, unknown>) => table?.where?.passes(row);
  expect(passes({ reason: "late", custom_fields: {} })).toBe(true);
  expect(passes({ reason: null, custom_fields: { vip: true } })).toBe(true);
  expect(passes({ reason: null, custom_fields: {} })).toBe(false);
});

test("personal data is hashed with the key, or left out, by its class", async () => {
  const policy = (secret: string) =>
    nightly(
      `datasets: [contacts, messages], personal: { identity: hash, contact: hash, content: drop, hashKey: "${secret}" }`,
    );
  const exports = await good(policy("${KEY}"));
  expect(columnsOf(exports)).toEqual([
    "id:string",
    "name:string",
    "email:string",
    "phone:string",
    "merged_into:string",
    "created_at:timestamp",
    "updated_at:timestamp",
  ]);
  expect(columnsOf(exports, 1)).not.toContain("text:string");
  const hash = exports[0]?.tables[0]?.hash;
  expect([...(hash?.columns ?? [])]).toEqual(["name", "email", "phone"]);
  expect(hash?.of("ada@example.com")).toBe(createHmac("sha256", key).update("ada@example.com").digest("hex"));
  const other = await good(policy("another key of sixteen bytes"));
  expect(other[0]?.tables[0]?.selection).not.toBe(exports[0]?.tables[0]?.selection);
});

test("JSON that is hashed is text in the warehouse", async () => {
  const exports = await good(nightly(`datasets: [tickets], personal: { content: hash, hashKey: "\${KEY}" }`));
  expect(columnsOf(exports)).toContain("custom_fields:string");
});

const wrong: readonly (readonly [string, string, RegExp])[] = [
  [
    "a dataset",
    nightly("datasets: [tikets]"),
    /^a\.yaml:3:47 exports\.nightly\.datasets\[0\] — .*`tickets`\?/,
  ],
  [
    "a dataset with a table",
    nightly("datasets: [{ name: mesages, table: m }]"),
    /^a\.yaml:3:55 exports\.nightly\.datasets\[0\]\.name — .*`messages`\?/,
  ],
  [
    "a column",
    nightly("datasets: [{ name: tickets, columns: [statsu] }]"),
    /^a\.yaml:3:74 .*columns\[0\] — the dataset `tickets` has no column `statsu`.*`status`\?/,
  ],
  [
    "a column of a filter",
    nightly(`datasets: [{ name: tickets, where: 'row.statsu == "open"' }]`),
    /^a\.yaml:3:76 .*where — `row` has no `statsu`.*`status`\?/,
  ],
  [
    "a filter that is no condition",
    nightly("datasets: [{ name: tickets, where: row.status }]"),
    /^a\.yaml:3:71 .*where — this gives string; expected bool/,
  ],
  [
    "a type in a filter",
    nightly(`datasets: [{ name: tickets, where: "row.csat_score > 'x'" }]`),
    /^a\.yaml:3:\d+ .*where — /,
  ],
  [
    "a column that the policy leaves out",
    nightly("datasets: [{ name: contacts, columns: [email] }], personal: { contact: drop }"),
    /^a\.yaml:3:75 .*columns\[0\] — the column `email` is left out/,
  ],
  [
    "a cron expression",
    nightly(`datasets: [tickets], schedule: { cron: "61 2 * * *" }`),
    /^a\.yaml:3:75 exports\.nightly\.schedule\.cron — this is not a cron expression/,
  ],
  [
    "a time zone",
    nightly(`datasets: [tickets], schedule: { cron: "15 2 * * *", timezone: Europe/Pariss }`),
    /^a\.yaml:3:99 exports\.nightly\.schedule\.timezone — this is not a time zone.*`Europe\/Paris`/,
  ],
  [
    "a time that never comes",
    nightly(`datasets: [tickets], schedule: { cron: "0 0 31 2 *" }`),
    /^a\.yaml:3:75 exports\.nightly\.schedule\.cron — this time never comes/,
  ],
  [
    "a connection",
    "  nightly: { from: desk, to: lak, datasets: [tickets] }\n",
    /^a\.yaml:3:30 exports\.nightly\.to — there is no connection `lak`.*`lake`\?/,
  ],
  [
    "a policy",
    nightly("datasets: [tickets], personal: { content: hide }"),
    /^a\.yaml:3:78 exports\.nightly\.personal\.content — `hide` is not known here; expected `keep`, `hash` or `drop`/,
  ],
  [
    "hashing without a key",
    nightly("datasets: [tickets], personal: { content: hash }"),
    /^a\.yaml:3:67 exports\.nightly\.personal — `hashKey` is missing/,
  ],
  [
    "a key",
    nightly("datasets: [tickets], onSchemaChanges: fail"),
    /^a\.yaml:3:57 exports\.nightly\.onSchemaChanges — .*`onSchemaChange`\?/,
  ],
  [
    "the name of a table",
    nightly(`datasets: [{ name: tickets, table: "my tickets" }]`),
    /^a\.yaml:3:71 .*table — this is not of the right form; expected letters, digits and `_`/,
  ],
];

test.each(wrong)("%s that is wrong is told with its place", async (_what, text, expected) => {
  const problems = await problemsOf(text);
  expect(problems).toHaveLength(1);
  expect(problems[0]).toMatch(expected);
});

test("a table has one export: two that would write it are told apart, also by capital letters", async () => {
  const two = `${nightly("datasets: [tickets]")}  hourly: { from: desk, to: lake, datasets: [{ name: messages, table: Tickets }] }\n`;
  expect(await problemsOf(two)).toEqual([
    "a.yaml:4:46 exports.hourly.datasets[0] — the table `Tickets` of `lake` is written by the export `nightly` already; expected another `table` or `tablePrefix`",
  ]);
  expect(await problemsOf(nightly("datasets: [tickets, tickets]"))).toHaveLength(1);
});

test("connections that give no datasets or take no rows are told when they are open", async () => {
  const result = await parse(nightly("datasets: [tickets, deliveries]"));
  if (!result.ok) throw new Error("the configuration is wrong");
  const look = (desk: Connection, lake: Connection) =>
    checkTargets(result.config, (name) => (name === "desk" ? desk : lake));
  const sink = { open: () => Promise.reject(new Error("not called")) };
  const read = () => [] as never;
  expect(look({ datasets: { datasets: ["tickets"], read } }, { sink })).toEqual([]);
  expect(look({}, {})).toEqual([
    "a.yaml:3:30 exports.nightly.to — the connection `lake` takes no rows; expected one whose connector is a sink",
    "a.yaml:3:20 exports.nightly.from — the connection `desk` gives no datasets; expected one whose connector does",
  ]);
  expect(look({ datasets: { datasets: ["ticket_events"], read } }, { sink })).toEqual([
    "a.yaml:3:47 exports.nightly.datasets[0] — the connection `desk` does not give `tickets`; expected `ticket_events` or `deliveries`.",
  ]);
});
