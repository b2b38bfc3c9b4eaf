import { defineConnector } from "deskbridge/sdk";
import { checkServer } from "./check.ts";
import { config } from "./config.ts";
import { readTable } from "./read.ts";
import { openWriter } from "./writer.ts";

export default defineConnector({
  name: "clickhouse",
  description: "ClickHouse: tables that exports keep the same as the desk's, read through a view.",
  config,
  open: (settings) => ({
    sink: {
      open: (request) => openWriter(settings, request),
      read: (request) => readTable(settings, request),
    },
    check: (signal) => checkServer(settings, signal),
  }),
});
