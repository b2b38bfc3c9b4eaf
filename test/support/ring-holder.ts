import { pino } from "pino";
import { openBullmqQueue } from "../../src/queue/bullmq.ts";

// A process that takes one ring of the target given to it, says so, and never finishes it: the test kills it.
const [target = "", options = "{}"] = process.argv.slice(2);
const queue = await openBullmqQueue({
  ...(JSON.parse(options) as object),
  logger: pino({ level: "silent" }),
});
await queue.work(target, 1, () => {
  process.stdout.write("taken\n");
  return new Promise(() => undefined);
});
setInterval(() => undefined, 60_000);
