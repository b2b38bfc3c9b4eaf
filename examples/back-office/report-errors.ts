// Files the fulfillment errors of a file, one JSON object a line:
//   DESK_URL=http://127.0.0.1:8787 DESK_KEY=… node examples/back-office/report-errors.ts errors.jsonl
import { open } from "node:fs/promises";
import { supportApiOfEnvironment } from "../support-api.ts";
import type { FulfillmentError } from "./fulfillment-error.ts";
import { reportError } from "./fulfillment-error.ts";

const [path] = process.argv.slice(2);
if (path === undefined) throw new Error("name the file with the errors");

const api = supportApiOfEnvironment();
const file = await open(path);
for await (const line of file.readLines()) {
  if (line.trim() === "") continue;
  const error = JSON.parse(line) as FulfillmentError;
  const { ticket, result } = await reportError(api, error);
  process.stdout.write(`${error.id}: ticket #${ticket.number} (${ticket.id}) ${result}\n`);
}
