import { createMergeSink, defineConnector } from "deskbridge/sdk";
import { checkAccount } from "./check.ts";
import { config } from "./config.ts";
import { openWarehouse } from "./warehouse.ts";

export default defineConnector({
  name: "snowflake",
  description: "Snowflake: tables that exports keep the same as the desk's, by PUT, COPY and MERGE.",
  config,
  open: (settings) => ({
    sink: createMergeSink((signal) => openWarehouse(settings, signal)),
    check: (signal) => checkAccount(settings, signal),
  }),
});
