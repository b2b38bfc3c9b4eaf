import { createMergeSink, defineConnector } from "deskbridge/sdk";
import { checkProject } from "./check.ts";
import { config } from "./config.ts";
import { openWarehouse } from "./warehouse.ts";

export default defineConnector({
  name: "bigquery",
  description: "BigQuery: tables that exports keep the same as the desk's, by load jobs and MERGE.",
  config,
  open: (settings) => ({
    sink: createMergeSink((signal) => openWarehouse(settings, signal)),
    check: (signal) => checkProject(settings, signal),
  }),
});
