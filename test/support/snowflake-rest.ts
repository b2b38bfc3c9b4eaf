import type { EngineResult } from "./duckdb-engine.ts";

interface RestType {
  /** Its name in a result. */
  readonly type: string;
  /** Its name in the catalogue. */
  readonly catalogue: string;
  readonly scale: number;
}

const fixed = { type: "fixed", catalogue: "NUMBER", scale: 0 };
const text = { type: "text", catalogue: "TEXT", scale: 0 };

/** Types of the engine, as Snowflake would name what they stand for. */
const types: Readonly<Record<string, RestType>> = {
  VARCHAR: text,
  BIGINT: fixed,
  INTEGER: fixed,
  DOUBLE: { type: "real", catalogue: "FLOAT", scale: 0 },
  BOOLEAN: { type: "boolean", catalogue: "BOOLEAN", scale: 0 },
  "TIMESTAMP WITH TIME ZONE": { type: "timestamp_tz", catalogue: "TIMESTAMP_TZ", scale: 9 },
  DATE: { type: "date", catalogue: "DATE", scale: 0 },
  JSON: { type: "variant", catalogue: "VARIANT", scale: 0 },
};

/** A result of the engine as Snowflake's REST interface gives one. */
export function toRest(sql: string, columns: EngineResult["columns"], rows: EngineResult["rows"]): object {
  const rowtype = columns.map(({ name, type }) => ({
    name,
    nullable: true,
    precision: 38,
    ...(types[type] ?? text),
  }));
  const isCatalogue = sql.includes("INFORMATION_SCHEMA.COLUMNS");
  const rowset = rows.map((row) =>
    row.map((value, index) => {
      if (isCatalogue) return types[value ?? ""]?.catalogue ?? value;
      return value === null ? null : inRest(rowtype[index]?.type, value);
    }),
  );
  return { rowtype, rowset, total: rows.length, returned: rows.length };
}

const day = 86_400_000;

/** Days go as their number since 1970, instants as seconds with their fraction, and the minutes of their offset from a day before UTC. */
function inRest(type: string | undefined, value: string): string {
  if (type === "date") return String(Date.parse(`${value}T00:00:00Z`) / day);
  if (type === "boolean") return value === "true" ? "1" : "0";
  if (type !== "timestamp_tz") return value;
  const [, whole = "", fraction = ""] = /^([^.+]+)(?:\.(\d+))?/.exec(value) ?? [];
  const seconds = BigInt(Date.parse(`${whole.replace(" ", "T")}Z`) / 1000);
  const nanos = seconds * 1_000_000_000n + BigInt(fraction.padEnd(9, "0"));
  const size = nanos < 0n ? -nanos : nanos;
  const digits = String(size).padStart(10, "0");
  return `${nanos < 0n ? "-" : ""}${digits.slice(0, -9)}.${digits.slice(-9)} 1440`;
}
