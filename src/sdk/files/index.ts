export { fileSinkConfig } from "./file-sink-config.ts";
export type { FileSinkConfig } from "./file-sink-config.ts";
export { createFileSinkConnection } from "./file-sink-connection.ts";
