import { defineConnector } from "deskbridge/sdk";
import { createFileSinkConnection, fileSinkConfig } from "deskbridge/sdk/files";

export default defineConnector({
  name: "parquet",
  description: "A warehouse of Parquet files, in a folder or a bucket, a file a day.",
  config: fileSinkConfig,
  open: (settings, context) => createFileSinkConnection("parquet", settings, context),
});
