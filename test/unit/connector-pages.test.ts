import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import snowflake from "../../connectors/snowflake/index.ts";
import bigquery from "../../connectors/bigquery/index.ts";
import clickhouse from "../../connectors/clickhouse/index.ts";
import csv from "../../connectors/csv/index.ts";
import deskbridge from "../../connectors/deskbridge/index.ts";
import duckdb from "../../connectors/duckdb/index.ts";
import gorgias from "../../connectors/gorgias/index.ts";
import { triggers } from "../../connectors/gorgias/webhook.ts";
import jsonl from "../../connectors/jsonl/index.ts";
import parquet from "../../connectors/parquet/index.ts";
import http from "../../connectors/http/index.ts";
import postgres from "../../connectors/postgres/index.ts";
import shopify from "../../connectors/shopify/index.ts";
import webhook from "../../connectors/webhook/index.ts";
import zendesk from "../../connectors/zendesk/index.ts";
import { eventTypes } from "../../src/model/event.ts";
import { topics } from "../../connectors/shopify/topic.ts";
import { settingsOf, withSettings } from "../support/connector-pages.ts";

const root = join(import.meta.dirname, "../..");
const pageOf = (name: string): string => join(root, "docs/reference/connectors", `${name}.md`);

const documented = [
  bigquery,
  snowflake,
  clickhouse,
  csv,
  deskbridge,
  duckdb,
  gorgias,
  http,
  jsonl,
  parquet,
  postgres,
  shopify,
  webhook,
  zendesk,
];

describe("the reference page of a connector", () => {
  it.each(documented)("$name has the table of settings that its schema gives", async (definition) => {
    const page = pageOf(definition.name);
    await expect(withSettings(readFileSync(page, "utf8"), definition)).toMatchFileSnapshot(page);
  });

  it.each(documented)("$name says of each setting what it is", (definition) => {
    const settings = settingsOf(definition);
    expect(settings.length).toBeGreaterThan(2);
    const unsaid = settings.filter((one) => one.description === "").map((one) => one.path);
    expect(unsaid).toEqual([]);
  });

  it.each(documented)("$name begins with an example that its schema takes", ({ name, config }) => {
    const [, example = ""] = /```yaml\n([\s\S]*?)```/.exec(readFileSync(pageOf(name), "utf8")) ?? [];
    const { connections } = parse(example) as { connections: Record<string, Record<string, unknown>> };
    const [{ use, poll: _poll, ...settings } = {}] = Object.values(connections).filter(
      (connection) => connection["use"] === name,
    );
    expect(use).toBe(name);
    expect(config.safeParse(settings).error?.issues ?? []).toEqual([]);
  });

  it("of shopify names every topic that is taken", () => {
    const page = readFileSync(pageOf("shopify"), "utf8");
    expect(Object.keys(topics).filter((topic) => !page.includes(`\`${topic}\``))).toEqual([]);
  });
});

describe("the page of gorgias", () => {
  it("names every trigger that is taken", () => {
    const page = readFileSync(pageOf("gorgias"), "utf8");
    expect(triggers.filter((trigger) => !page.includes(`\`${trigger}\``))).toEqual([]);
  });
});

describe("the guide for connector authors", () => {
  const guide = join(root, "docs/guides/write-a-connector.md");
  const text = existsSync(guide) ? readFileSync(guide, "utf8") : "";

  it("names only files that exist", () => {
    const named = [...text.matchAll(/`((?:src|connectors|test|docs)\/[\w./-]+)`/g)].map(
      (match) => match[1] ?? "",
    );
    expect(named.length).toBeGreaterThan(8);
    expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });

  it("quotes the template's files as they are", () => {
    const blocks = [...text.matchAll(/<!-- from (\S+) -->\n+```ts\n([\s\S]*?)```/g)];
    expect(blocks.length).toBeGreaterThan(2);
    for (const [, path = "", code = ""] of blocks) {
      expect(readFileSync(join(root, path), "utf8"), `${path} holds what the guide shows`).toContain(
        code.trim(),
      );
    }
  });

  it("speaks of event types that there are", () => {
    const named = [...text.matchAll(/`((?:order|fulfillment|payment|refund|customer)\.\w+)`/g)].map(
      (match) => match[1],
    );
    expect(named.filter((type) => !eventTypes.some((one) => one === type))).toEqual([]);
    expect(named.length).toBeGreaterThan(0);
  });
});
