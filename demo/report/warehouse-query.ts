import { DuckDBInstance } from "@duckdb/node-api";
import { formatTable } from "../../src/cli/table.ts";
import { durationText } from "../../src/cli/time-text.ts";
import { formatBars } from "./bar-chart.ts";

/** Tickets of one reason, as the warehouse has them. */
export interface ReasonRow {
  readonly reason: string;
  readonly tickets: number;
  readonly answered: number;
  readonly solved: number;
  /** Null where none was answered. */
  readonly medianFirstReplyMs: number | null;
}

/** The query as a reader can copy it; `lake` is the folder of the Parquet files. */
export function reasonQuery(lake: string): string {
  const files = (table: string): string => `read_parquet('${lake}/${table}/**/*.parquet')`;
  return [
    "select t.reason, count(*) as tickets, count(m.first_reply_at) as answered, count(m.resolved_at) as solved,",
    "  median(epoch_ms(m.first_reply_at) - epoch_ms(t.created_at)) as first_reply_ms",
    `from ${files("tickets")} t`,
    `left join ${files("ticket_metrics")} m on m.ticket_id = t.id`,
    "group by t.reason order by tickets desc, t.reason",
  ].join("\n");
}

/** Runs the query in a DuckDB of its own, as any analyst would. */
export async function queryReasons(lake: string): Promise<readonly ReasonRow[]> {
  const instance = await DuckDBInstance.create(":memory:");
  try {
    const connection = await instance.connect();
    const result = await connection.runAndReadAll(reasonQuery(lake.replaceAll("'", "''")));
    connection.closeSync();
    return result.getRowObjectsJson().map((row) => ({
      reason: typeof row["reason"] === "string" ? row["reason"] : "none",
      tickets: Number(row["tickets"]),
      answered: Number(row["answered"]),
      solved: Number(row["solved"]),
      medianFirstReplyMs: row["first_reply_ms"] === null ? null : Number(row["first_reply_ms"]),
    }));
  } finally {
    instance.closeSync();
  }
}

/** The rows as a table, and under it how many tickets each reason has. */
export function formatReasons(rows: readonly ReasonRow[]): string {
  const columns = [
    { title: "REASON" },
    ...["TICKETS", "ANSWERED", "SOLVED", "MEDIAN FIRST REPLY"].map((title) => ({ title, numeric: true })),
  ];
  const cells = rows.map(({ reason, tickets, answered, solved, medianFirstReplyMs }) => [
    reason,
    tickets,
    answered,
    solved,
    medianFirstReplyMs === null ? "-" : durationText(medianFirstReplyMs),
  ]);
  const bars = rows.map(({ reason, tickets }) => ({ label: reason, value: tickets, text: String(tickets) }));
  return `${formatTable(columns, cells)}\n\n${formatBars(bars)}`;
}
