import { createCsvBatch, cutCsv } from "deskbridge/sdk";
import type { DayRange, RowBatch, SinkRequest } from "deskbridge/sdk";
import { listed, namesOf, typeIn } from "./column.ts";
import type { Config } from "./config.ts";
import { numberOf } from "./fault.ts";
import { readRecords } from "./record.ts";
import { openServer } from "./server.ts";
import { within } from "./stage.ts";
import { findTable, requireOurs } from "./table.ts";

/** What the table holds, in the columns that it has; nothing where it was never made. */
export async function* readTable(
  config: Config,
  request: Pick<SinkRequest, "table" | "export" | "signal"> & { readonly days?: DayRange },
): AsyncGenerator<RowBatch> {
  const { table, days } = request;
  const server = await openServer(config, request.signal);
  const names = namesOf(config.database, table.name);
  try {
    const found = await findTable(server, config.database, names, table);
    if (found.held === undefined && !found.isTaken) return;
    const records = await readRecords(server, names, table.name).catch((error: unknown) => {
      // There is no table of records: whatever is there was not made by an export.
      if (numberOf(error) === unknownTable) return [];
      throw error;
    });
    requireOurs(found, records, request);
    const typeOf = typeIn(table);
    const columns = table.columns.filter((column) => found.held?.get(column.name) === typeOf(column));
    const where = days === undefined ? "" : ` WHERE ${within(table.day)}`;
    const query = `SELECT ${listed(columns.map(({ name }) => name))} FROM ${names.rows} FINAL${where}`;
    for await (const piece of cutCsv(server.readCsv(query, { ...days }))) {
      yield createCsvBatch(columns, piece.csv, piece.count);
    }
  } finally {
    await server.close();
  }
}

const unknownTable = 60;
