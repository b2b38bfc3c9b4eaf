import { expect, it, onTestFinished } from "vitest";
import { openBullmqQueue } from "../../src/queue/bullmq.ts";
import { captureLog } from "../support/captured-log.ts";
import { freshDatabase } from "../support/postgres.ts";

it("many workers that begin at once have their statements on the shared connection come one after the other", async () => {
  const warnings: string[] = [];
  const note = ({ message }: Error): void => void warnings.push(message);
  process.on("warning", note);
  onTestFinished(() => void process.off("warning", note));
  const database = await freshDatabase();
  onTestFinished(database.drop);
  const queue = await openBullmqQueue({
    postgresUrl: database.url,
    namespace: "many",
    logger: captureLog().logger,
  });
  const heard = new Set<string>();
  const all = Promise.withResolvers<void>();
  const targets = Array.from({ length: 12 }, (_, index) => `desk-${index}`);
  const workers = await Promise.all(
    targets.map((target) =>
      queue.work(target, 1, async () => {
        heard.add(target);
        if (heard.size === targets.length) all.resolve();
        return { kind: "done" };
      }),
    ),
  );
  for (const target of targets) queue.ring(target, ["lane"]);
  await all.promise;
  await Promise.all(workers.map((worker) => worker.close(0)));
  await queue.close();
  expect(warnings).toEqual([]);
});
