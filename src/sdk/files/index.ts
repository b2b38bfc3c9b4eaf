export { databaseSinkConfig } from "./database-sink-config.ts";
export { createDatabaseSinkConnection } from "./database-sink-connection.ts";
export { fileSinkConfig } from "./file-sink-config.ts";
export { createFileSinkConnection } from "./file-sink-connection.ts";
