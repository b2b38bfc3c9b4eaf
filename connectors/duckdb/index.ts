import { defineConnector } from "deskbridge/sdk";
import { createDatabaseSinkConnection, databaseSinkConfig } from "deskbridge/sdk/files";

export default defineConnector({
  name: "duckdb",
  description: "A DuckDB database file: tables that exports keep the same as the desk's.",
  config: databaseSinkConfig,
  open: (settings, context) => createDatabaseSinkConnection(settings, context),
});
