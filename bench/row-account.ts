import { hash } from "node:crypto";
import type { Column } from "../src/model/dataset.ts";
import type { Row, RowBatch } from "../src/sdk/row-batch.ts";

/** What a table should hold, and how what it holds differs. */
export interface RowAccount {
  /** Rows that should be there. */
  readonly expect: (rows: readonly Row[]) => void;
  readonly size: () => number;
  /** Sees whether a table holds just these rows, each once. */
  readonly check: (batches: AsyncIterable<RowBatch>) => Promise<RowDifferences>;
}

export interface RowDifferences {
  readonly rows: number;
  readonly missing: number;
  readonly unexpected: number;
  readonly doubled: number;
  readonly different: number;
  /** Of the first few: what is wrong, and the row's key. */
  readonly examples: readonly string[];
}

interface Table {
  readonly columns: readonly Column[];
  readonly key: readonly string[];
}

const mostExamples = 5;

export function createRowAccount(table: Table): RowAccount {
  const expected = new Map<string, string>();
  return {
    expect: (rows) => {
      for (const row of rows) expected.set(keyOf(table, row), digestOf(table, row));
    },
    size: () => expected.size,
    check: async (batches) => {
      const seen = new Set<string>();
      const count = { rows: 0, missing: 0, unexpected: 0, doubled: 0, different: 0 };
      const examples: string[] = [];
      const note = (what: keyof typeof count, key: string): void => {
        count[what] += 1;
        if (examples.length < mostExamples) examples.push(`${what} ${key}`);
      };
      for await (const batch of batches) {
        for (const row of batch.rows()) {
          const key = keyOf(table, row);
          count.rows += 1;
          if (seen.has(key)) note("doubled", key);
          seen.add(key);
          const digest = expected.get(key);
          if (digest === undefined) note("unexpected", key);
          else if (digest !== digestOf(table, row)) note("different", key);
        }
      }
      for (const key of expected.keys()) if (!seen.has(key)) note("missing", key);
      return { ...count, examples };
    },
  };
}

/** True where a table holds what it should. */
export function isExact({ missing, unexpected, doubled, different }: RowDifferences): boolean {
  return missing + unexpected + doubled + different === 0;
}

function keyOf({ key }: Table, row: Row): string {
  return key.map((name) => String(row[name])).join(" ");
}

function digestOf({ columns }: Table, row: Row): string {
  const values = columns.map(({ name, type }) => {
    const value = row[name] ?? null;
    return type === "json" ? inOrder(value) : value;
  });
  return hash("md5", JSON.stringify(values), "base64");
}

/** JSON with the keys of its objects in order: nobody promises to keep it. */
function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, inOrder(inner)]));
}
