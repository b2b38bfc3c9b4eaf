import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { Backend } from "../../src/queue/backend.ts";
import { openJobQueue, openJobWorker } from "../../src/queue/backend.ts";
import { openPostgresBackend } from "../../src/queue/backend-postgres.ts";
import { openRedisBackend } from "../../src/queue/backend-redis.ts";
import { openBullmqQueue } from "../../src/queue/bullmq.ts";
import { createFaultLog } from "../../src/queue/fault-log.ts";
import { captureLog } from "../support/captured-log.ts";
import type { QueueFixture } from "./queue-conformance.ts";

const timing = { lockMs: 400, stalledCheckMs: 200, upkeepMs: 100 };
const everyMs = 200;

/** A tick whose process died holds nothing up, whatever the clock of that process or of any other said. */
export function describeDeadTicks(name: string, open: () => Promise<QueueFixture>): void {
  describe(`ticks of dead processes on ${name}`, () => {
    let fixture: QueueFixture;
    let backend: Backend;
    let namespace = "";
    let counter = 0;
    const closers: (() => Promise<unknown>)[] = [];

    beforeAll(async () => {
      fixture = await open();
    });
    beforeEach(async () => {
      counter += 1;
      namespace = `dead${counter}`;
      const faults = createFaultLog(captureLog().logger, 0, () => 0);
      const { redisUrl, postgresUrl = "" } = fixture.url;
      backend =
        redisUrl === undefined
          ? await openPostgresBackend(postgresUrl, namespace, faults)
          : await openRedisBackend(redisUrl, namespace, faults);
      closers.push(backend.close);
      const queue = openJobQueue(backend, "schedules");
      closers.push(() => queue.close());
      await queue.upsertJobScheduler(
        "sweep",
        { every: everyMs },
        { name: "tick", data: { schedule: "sweep" } },
      );
    });
    afterEach(async () => {
      vi.restoreAllMocks();
      for (const close of closers.splice(0).reverse()) await close();
    });
    afterAll(() => fixture.stop());

    const withClock = async <T>(offMs: number, act: () => Promise<T>): Promise<T> => {
      const clock = vi.spyOn(Date, "now");
      clock.mockImplementation(() => Math.round(performance.timeOrigin + performance.now() + offMs));
      const result = await act();
      clock.mockRestore();
      return result;
    };
    const bare = () => {
      const connection = backend.workerConnection;
      const options = { connection, prefix: backend.prefix("schedules") };
      const { lockMs: lockDuration, stalledCheckMs: stalledInterval } = timing;
      return backend.factory("schedules", { ...options, lockDuration, stalledInterval } as typeof options);
    };
    /** A process that dies when it has just taken a tick: the one after it is not planned. */
    const takeAndDie = async () => {
      const [, id] = (await bare().moveToActive("dead", "dead")) as readonly string[];
      expect(id).toMatch(/^repeat:sweep:\d+$/);
    };
    /** A process that dies while its handler runs. */
    const runAndDie = async () => {
      const worker = openJobWorker(backend, "schedules", timing, 1, async () => undefined);
      const job = await worker.getNextJob("dead", { block: false });
      expect(job?.data).toEqual({ schedule: "sweep" });
      await worker.close(true);
    };
    /** Resolves with how many ticks came, when they come again. */
    const ticksOfAnother = async () => {
      let ticks = 0;
      const queue = await openBullmqQueue({ ...fixture.url, namespace, logger: captureLog().logger, timing });
      const worker = await queue.schedule("sweep", { everyMs }, async () => void (ticks += 1));
      closers.push(
        () => queue.close(),
        () => worker.close(0),
      );
      await vi.waitUntil(() => ticks > 2, { timeout: 10_000 }).catch(() => undefined);
      return ticks;
    };
    const clocks = [
      { clock: "right", offMs: 0 },
      { clock: "ten minutes ahead", offMs: 600_000 },
      { clock: "ten minutes behind", offMs: -600_000 },
    ];

    it.each(clocks)("come again when it had just taken one, its clock $clock", async ({ offMs }) => {
      await withClock(offMs, takeAndDie);
      expect(await ticksOfAnother()).toBeGreaterThan(2);
    });

    it.each(clocks)("come again when it was at one, its clock $clock", async ({ offMs }) => {
      await withClock(offMs, runAndDie);
      expect(await ticksOfAnother()).toBeGreaterThan(2);
    });

    it("come again when another process had looked for dead ones with a clock ahead", async () => {
      await withClock(600_000, () => bare().moveStalledJobsToWait());
      await runAndDie();
      expect(await ticksOfAnother()).toBeGreaterThan(2);
    });
  });
}
