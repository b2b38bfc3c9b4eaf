import { defineConnector } from "deskbridge/sdk";
import { createFileSinkConnection, fileSinkConfig } from "deskbridge/sdk/files";

export default defineConnector({
  name: "csv",
  description: "A warehouse of gzipped CSV files, in a folder or a bucket, a file a day.",
  config: fileSinkConfig,
  open: (settings, context) => createFileSinkConnection("csv", settings, context),
});
