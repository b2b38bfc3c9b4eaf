import { defineConnector } from "deskbridge/sdk";
import { createFileSinkConnection, fileSinkConfig } from "deskbridge/sdk/files";

export default defineConnector({
  name: "jsonl",
  description: "A warehouse of gzipped files of JSON lines, in a folder or a bucket, a file a day.",
  config: fileSinkConfig,
  open: (settings, context) => createFileSinkConnection("jsonl", settings, context),
});
