import { createCsvBatch, cutCsv } from "deskbridge/sdk";
import type { DayRange, RowBatch, SinkRequest } from "deskbridge/sdk";
import { listed, quoted, sqlTypes } from "./column.ts";
import type { Config } from "./config.ts";
import { readRecord } from "./record.ts";
import { openSession } from "./session.ts";
import { columnsOf, requireOurs } from "./table.ts";

/** What the table holds, in the columns that it has; nothing where it was never made. */
export async function* readTable(
  config: Config,
  request: Pick<SinkRequest, "table" | "export" | "signal"> & { readonly days?: DayRange },
): AsyncGenerator<RowBatch> {
  const { table, days } = request;
  const session = await openSession(config, request.signal);
  try {
    const held = await columnsOf(session, config.schema, table.name);
    if (held === undefined) return;
    requireOurs(await readRecord(session, config.schema, table.name), held, request);
    const columns = table.columns.filter(({ name, type }) => held.get(name) === sqlTypes[type]);
    const from = `SELECT ${listed(columns.map(({ name }) => name))} FROM ${quoted(config.schema)}.${quoted(table.name)}`;
    const text = days === undefined ? from : `${from} WHERE ${within(table.day, days)}`;
    const csv = session.copyOut(`COPY (${text}) TO STDOUT (FORMAT csv, ENCODING 'UTF8')`);
    for await (const piece of cutCsv(csv)) yield createCsvBatch(columns, piece.csv, piece.count);
  } finally {
    await session.close();
  }
}

// COPY takes no parameters. The days are dates that the engine has checked; quoting them makes sure of it here as well.
function within(day: string, { from, until }: DayRange): string {
  const date = (text: string): string => `date '${text.replaceAll("'", "''")}'`;
  return `${quoted(day)} >= ${date(from)} AND ${quoted(day)} < ${date(until)}`;
}
