import { defineConnector } from "deskbridge/sdk";
import { checkDatabase } from "./check.ts";
import { config } from "./config.ts";
import { readTable } from "./read.ts";
import { readStandings } from "./standings.ts";
import { openWriter } from "./writer.ts";

export default defineConnector({
  name: "postgres",
  description: "PostgreSQL: tables that exports keep the same as the desk's, row for row.",
  config,
  open: (settings) => ({
    sink: {
      open: (request) => openWriter(settings, request),
      standings: (requests) => readStandings(settings, requests),
      read: (request) => readTable(settings, request),
    },
    check: (signal) => checkDatabase(settings, signal),
  }),
});
