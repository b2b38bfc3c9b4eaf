import type { Pool } from "pg";
import { guarded } from "./fault.ts";

/** Where a page ended: the sort value and the id of its last row. */
export interface Position {
  readonly at: string | undefined;
  readonly id: number;
}

/** One page of JSON objects; `next` is undefined on the last one. */
export interface Page {
  readonly bodies: readonly string[];
  readonly next: Position | undefined;
}

interface Row {
  readonly id: number;
  readonly at: string;
  readonly body: string;
}

/** A list query in the making: conditions with their values, in the order of an index. */
export interface ListQuery {
  /** What goes before `where`, with the table of the objects as `t`. */
  readonly from: string;
  /** JSON of a row of `t`. */
  readonly body: string;
  readonly conditions: readonly (readonly [sql: string, ...values: readonly unknown[]])[];
  readonly sort: "id" | "updated_at";
  readonly descending: boolean;
  readonly after: Position | undefined;
  readonly limit: number;
}

/** Runs a list query. Conditions write their values as `?`. Planned anew each time, with the values at hand: which index is best depends on them. */
export async function listPage(pool: Pool, query: ListQuery): Promise<Page> {
  const values: unknown[] = [];
  const bind = ([sql, ...given]: readonly [string, ...unknown[]]): string => {
    const rest = [...given];
    return sql.replaceAll("?", () => `$${values.push(rest.shift())}`);
  };
  const where = [...query.conditions, ...afterCondition(query)].map(bind).map((sql) => `(${sql})`);
  const direction = query.descending ? "desc" : "asc";
  const order = query.sort === "id" ? `t.id ${direction}` : `t.updated_at ${direction}, t.id ${direction}`;
  const text = `select t.id, ${query.sort === "id" ? "''" : "t.updated_at::text"} as at, ${query.body} as body
    from ${query.from} ${where.length === 0 ? "" : `where ${where.join(" and ")}`}
    order by ${order} limit ${query.limit + 1}`;
  const { rows } = await guarded(() => pool.query<Row>(text, values));
  const page = rows.slice(0, query.limit);
  const last = page.at(-1);
  const next =
    rows.length > query.limit && last !== undefined
      ? { at: query.sort === "id" ? undefined : last.at, id: last.id }
      : undefined;
  return { bodies: page.map((row) => row.body), next };
}

function afterCondition({ after, sort, descending }: ListQuery): ListQuery["conditions"] {
  if (after === undefined) return [];
  const compare = descending ? "<" : ">";
  if (sort === "id") return [[`t.id ${compare} ?::bigint`, after.id]];
  return [[`(t.updated_at, t.id) ${compare} (?::timestamptz, ?::bigint)`, after.at ?? "-infinity", after.id]];
}
