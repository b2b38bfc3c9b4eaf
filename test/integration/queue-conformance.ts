import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { type BullmqQueueOptions, openBullmqQueue, type QueueTiming } from "../../src/queue/bullmq.ts";
import {
  maxLanesPerRing,
  type Queue,
  type QueueWorker,
  type Ring,
  type RingOutcome,
} from "../../src/queue/queue.ts";
import { captureLog } from "../support/captured-log.ts";

/** A backend under test, real and of the suite's own. */
export interface QueueFixture {
  readonly url: Pick<BullmqQueueOptions, "redisUrl" | "postgresUrl">;
  /** Takes it away as a crash would. */
  readonly crash: () => Promise<void>;
  /** Brings it back. */
  readonly recover: () => Promise<void>;
  /** Drops all that it keeps for the namespace. */
  readonly forget: (namespace: string) => Promise<void>;
  readonly stop: () => Promise<void>;
}

const done: RingOutcome = { kind: "done" };
const holder = join(import.meta.dirname, "../support/ring-holder.ts");

/** What every backend of the `Queue` port does alike. */
export function describeQueue(name: string, open: () => Promise<QueueFixture>): void {
  describe(`queue on ${name}`, () => {
    let fixture: QueueFixture;
    let namespace = "";
    let counter = 0;
    const queues: Queue[] = [];
    const workers: QueueWorker[] = [];
    const failedRings: string[] = [];
    const handlerFaults: string[] = [];
    let log = captureLog();

    beforeAll(async () => {
      fixture = await open();
    });
    beforeEach(() => {
      counter += 1;
      namespace = `test${counter}`;
      failedRings.length = 0;
      handlerFaults.length = 0;
      log = captureLog();
    });
    afterEach(async () => {
      await Promise.all(workers.splice(0).map((worker) => worker.close(0)));
      await Promise.all(queues.splice(0).map((queue) => queue.close()));
    });
    afterAll(() => fixture.stop());

    const openQueue = async (timing: Partial<QueueTiming> = {}) => {
      const queue = await openBullmqQueue({
        ...fixture.url,
        namespace,
        logger: log.logger,
        timing,
        onRings: (target, outcome) => outcome === "failed" && failedRings.push(target),
        onHandlerFault: (faulty) => handlerFaults.push(faulty),
      });
      queues.push(queue);
      return queue;
    };
    const work = async (
      queue: Queue,
      concurrency: number,
      handler: (ring: Ring, signal: AbortSignal) => Promise<RingOutcome>,
    ) => {
      const worker = await queue.work("desk", concurrency, handler);
      workers.push(worker);
      return worker;
    };
    const schedule = async (
      queue: Queue,
      everyMs: number,
      handler: () => Promise<void> | void,
      id = "sweep",
    ) => {
      const worker = await queue.schedule(id, { everyMs }, async () => handler());
      workers.push(worker);
      return worker;
    };
    /** Works the target and gathers what comes; `next` resolves with the ring that comes next. */
    const listen = async (queue: Queue, concurrency = 1) => {
      const rings: Ring[] = [];
      const waiting: ((ring: Ring) => void)[] = [];
      let taken = 0;
      const worker = await work(queue, concurrency, async (ring) => {
        rings.push(ring);
        waiting.shift()?.(ring);
        return done;
      });
      const next = () => {
        taken += 1;
        const present = rings[taken - 1];
        return present === undefined
          ? new Promise<Ring>((resolve) => waiting.push(resolve))
          : Promise.resolve(present);
      };
      return { rings, next, worker };
    };

    it("brings a ring to the worker with its target, lanes and priority", async () => {
      const queue = await openQueue();
      const { next } = await listen(queue);
      queue.ring("desk", ["order/1", "order/2"], { priority: "backfill" });
      expect(await next()).toEqual({ target: "desk", lanes: ["order/1", "order/2"], priority: "backfill" });
    });

    it("takes targets of any name and keeps them apart", async () => {
      const queue = await openQueue();
      const odd = "Desk: é {1}/2";
      const { rings } = await listen(queue);
      const { promise, resolve } = Promise.withResolvers<Ring>();
      workers.push(
        await queue.work(odd, 1, async (ring) => {
          resolve(ring);
          return done;
        }),
      );
      queue.ring(odd, ["a"]);
      expect(await promise).toMatchObject({ target: odd, lanes: ["a"] });
      expect(rings).toEqual([]);
    });

    it("gathers rings, names a repeated lane once, and puts no more than 50 lanes into a job", async () => {
      const queue = await openQueue();
      const lanes = Array.from({ length: 120 }, (_, index) => `lane/${index}`);
      for (const lane of [...lanes, ...lanes]) queue.ring("desk", [lane]);
      queue.ring("desk", []);
      await queue.flush();
      expect(await queue.depth("desk")).toEqual({ waiting: 3, active: 0, delayed: 0 });
      const { next } = await listen(queue);
      const rings = [await next(), await next(), await next()];
      expect(Math.max(...rings.map((ring) => ring.lanes.length))).toBe(maxLanesPerRing);
      expect(rings.flatMap((ring) => ring.lanes).sort()).toEqual(lanes.sort());
    });

    it("hands out live rings before backfill, and backfill before exports", async () => {
      const queue = await openQueue();
      for (const priority of ["export", "backfill", "live"] as const) {
        queue.ring("desk", [priority], { priority });
        await queue.flush();
      }
      const { next } = await listen(queue);
      expect([await next(), await next(), await next()].map((ring) => ring.lanes[0])).toEqual([
        "live",
        "backfill",
        "export",
      ]);
    });

    it("holds a ring back until it is due", async () => {
      const queue = await openQueue();
      const { next } = await listen(queue);
      const at = Date.now() + 1_500;
      queue.ring("desk", ["later"], { at });
      queue.ring("desk", ["now"], { at: Date.now() - 1_000 });
      await queue.flush();
      expect((await next()).lanes).toEqual(["now"]);
      expect((await queue.depth("desk")).delayed).toBe(1);
      expect((await next()).lanes).toEqual(["later"]);
      expect(Date.now()).toBeGreaterThanOrEqual(at);
    });

    it("brings a snoozed ring back at the time told", async () => {
      const queue = await openQueue();
      const times: number[] = [];
      const until = Date.now() + 400;
      const { promise, resolve } = Promise.withResolvers<Ring>();
      await work(queue, 1, async (ring) => {
        times.push(Date.now());
        if (times.length === 1) return { kind: "snooze", until };
        resolve(ring);
        return done;
      });
      queue.ring("desk", ["order/1"], { priority: "export" });
      expect(await promise).toEqual({ target: "desk", lanes: ["order/1"], priority: "export" });
      expect(times[1]).toBeGreaterThanOrEqual(until);
      await expect.poll(() => queue.depth("desk")).toEqual({ waiting: 0, active: 0, delayed: 0 });
    });

    it("drops and counts a ring whose handler throws, and goes on", async () => {
      const queue = await openQueue();
      const { promise, resolve } = Promise.withResolvers<Ring>();
      await work(queue, 1, async (ring) => {
        if (ring.lanes[0] === "bad") throw new Error("boom");
        resolve(ring);
        return done;
      });
      queue.ring("desk", ["bad"]);
      await queue.flush();
      queue.ring("desk", ["good"]);
      expect((await promise).lanes).toEqual(["good"]);
      expect(handlerFaults).toEqual(["desk"]);
      expect(log.lines()).toContainEqual(expect.objectContaining({ name: "desk", message: "boom" }));
      await expect.poll(() => queue.depth("desk")).toEqual({ waiting: 0, active: 0, delayed: 0 });
    });

    it("spreads rings over the workers of two processes, each ring to one of them", async () => {
      const [one, two] = [await openQueue(), await openQueue()];
      const taken: string[] = [];
      const both = Promise.withResolvers<void>();
      const handler = (owner: string) => async (ring: Ring) => {
        taken.push(`${owner} ${ring.lanes.join()}`);
        if (taken.length === 2) both.resolve();
        // Neither ends before the other has begun.
        await both.promise;
        return done;
      };
      await work(one, 1, handler("one"));
      await work(two, 1, handler("two"));
      one.ring("desk", ["a"]);
      await one.flush();
      one.ring("desk", ["b"]);
      await both.promise;
      expect(taken.map((entry) => entry.split(" ")[0]).sort()).toEqual(["one", "two"]);
      expect(taken.map((entry) => entry.split(" ")[1]).sort()).toEqual(["a", "b"]);
    });

    it("handles as many rings at a time as its concurrency says", async () => {
      const queue = await openQueue();
      let active = 0;
      let most = 0;
      let left = 12;
      const finished = Promise.withResolvers<void>();
      const gate = Promise.withResolvers<void>();
      await work(queue, 3, async () => {
        active += 1;
        most = Math.max(most, active);
        if (active === 3) gate.resolve();
        await gate.promise;
        active -= 1;
        left -= 1;
        if (left === 0) finished.resolve();
        return done;
      });
      for (let index = 0; index < 12; index += 1) {
        queue.ring("desk", [`lane/${index}`]);
        await queue.flush();
      }
      await finished.promise;
      expect(most).toBe(3);
    });

    it("waits for its handlers when it is closed, and tells them", async () => {
      const queue = await openQueue();
      const began = Promise.withResolvers<AbortSignal>();
      const gate = Promise.withResolvers<void>();
      const worker = await work(queue, 1, async (_ring, signal) => {
        began.resolve(signal);
        await gate.promise;
        return done;
      });
      queue.ring("desk", ["a"]);
      const signal = await began.promise;
      let closed = false;
      const closing = worker.close(30_000).then(() => {
        closed = true;
      });
      expect(signal.aborted).toBe(true);
      expect(closed).toBe(false);
      gate.resolve();
      await closing;
      expect(await queue.depth("desk")).toEqual({ waiting: 0, active: 0, delayed: 0 });
      queue.ring("desk", ["b"]);
      await queue.flush();
      expect((await queue.depth("desk")).waiting).toBe(1);
    });

    it("lets go of a handler that does not end, and its ring comes again", async () => {
      const timing = { lockMs: 400, stalledCheckMs: 200 };
      const [one, two] = [await openQueue(timing), await openQueue(timing)];
      const began = Promise.withResolvers<void>();
      const worker = await work(one, 1, async () => {
        began.resolve();
        return new Promise(() => undefined);
      });
      one.ring("desk", ["stuck"]);
      await began.promise;
      const start = performance.now();
      await worker.close(100);
      expect(performance.now() - start).toBeLessThan(2_000);
      const { next } = await listen(two);
      expect((await next()).lanes).toEqual(["stuck"]);
    });

    it("brings the ring of a killed process to another, however often that happens", async () => {
      const timing = { lockMs: 400, stalledCheckMs: 200 };
      const queue = await openQueue(timing);
      queue.ring("desk", ["survivor"]);
      await queue.flush();
      const options = JSON.stringify({ ...fixture.url, namespace, timing });
      for (let death = 0; death < 3; death += 1) {
        const child = spawn(process.execPath, [holder, "desk", options], {
          stdio: ["ignore", "pipe", "inherit"],
        });
        try {
          await once(child.stdout, "data", { signal: AbortSignal.timeout(15_000) });
        } finally {
          child.kill("SIGKILL");
          await once(child, "exit");
        }
      }
      const { next } = await listen(queue);
      expect((await next()).lanes).toEqual(["survivor"]);
    });

    it("goes on after its backend crashed, and neither throws nor hangs meanwhile", async () => {
      const queue = await openQueue({ answerMs: 1_000 });
      const { next, rings } = await listen(queue);
      queue.ring("desk", ["before"]);
      await next();
      await fixture.crash();
      queue.ring("desk", ["meanwhile"]);
      await queue.flush();
      await fixture.recover();
      await expect.poll(() => queue.ping().then(() => "answers"), { timeout: 15_000 }).toBe("answers");
      await expect
        .poll(
          async () => {
            queue.ring("desk", ["after"]);
            await queue.flush();
            return rings.flatMap((ring) => ring.lanes);
          },
          { timeout: 30_000, interval: 200 },
        )
        .toContain("after");
      expect(failedRings.every((target) => target === "desk")).toBe(true);
    });

    it("goes on after all its data was lost, timetables included", async () => {
      const queue = await openQueue({ upkeepMs: 100 });
      let ticks = 0;
      await schedule(queue, 200, () => {
        ticks += 1;
      });
      const { rings } = await listen(queue);
      await expect.poll(() => ticks).toBeGreaterThan(0);
      queue.ring("desk", ["lost"], { at: Date.now() + 60_000 });
      await queue.flush();
      await fixture.forget(namespace);
      ticks = 0;
      expect((await queue.depth("desk")).delayed).toBe(0);
      queue.ring("desk", ["after"]);
      await expect.poll(() => rings.flatMap((ring) => ring.lanes), { timeout: 10_000 }).toEqual(["after"]);
      await expect.poll(() => ticks, { timeout: 10_000 }).toBeGreaterThan(1);
      expect(await queue.scheduled()).toEqual(["sweep"]);
    });

    it("does not wait for a tick that was planned by a clock ten minutes ahead", async () => {
      const clock = vi.spyOn(Date, "now");
      const realNow = () => performance.timeOrigin + performance.now();
      clock.mockImplementation(() => Math.round(realNow() + 600_000));
      const ahead = await openQueue();
      let ticks = 0;
      const count = () => void (ticks += 1);
      await schedule(ahead, 200, count);
      await expect.poll(() => ticks).toBeGreaterThan(1);
      await ahead.close();
      queues.splice(queues.indexOf(ahead), 1);
      clock.mockRestore();
      ticks = 0;
      await schedule(await openQueue({ upkeepMs: 100 }), 200, count);
      await expect.poll(() => ticks, { timeout: 10_000 }).toBeGreaterThan(1);
    });

    it("runs each tick in one process only", async () => {
      const [one, two] = [await openQueue(), await openQueue()];
      const times: number[] = [];
      const note = () => void times.push(performance.now());
      await schedule(one, 300, note);
      await schedule(two, 300, note);
      await expect.poll(() => times.length, { timeout: 10_000 }).toBeGreaterThan(4);
      const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0));
      // The first comes at once and the second at the next multiple, so the first gap may be of any length.
      expect(Math.min(...gaps.slice(1))).toBeGreaterThan(150);
    });

    it("leaves a tick out while its predecessor still runs, in whatever process", async () => {
      const [one, two] = [await openQueue(), await openQueue()];
      let active = 0;
      let most = 0;
      let runs = 0;
      const slow = async () => {
        active += 1;
        most = Math.max(most, active);
        await new Promise((resolve) => setTimeout(resolve, 450));
        active -= 1;
        runs += 1;
      };
      await schedule(one, 100, slow);
      await schedule(two, 100, slow);
      await expect.poll(() => runs, { timeout: 15_000 }).toBeGreaterThan(2);
      expect(most).toBe(1);
    });

    it("gives a tick to a process that has a handler for it", async () => {
      const [one, two] = [await openQueue(), await openQueue()];
      let ticks = 0;
      await schedule(one, 3_600_000, () => undefined, "other");
      await schedule(two, 200, () => void (ticks += 1), "wanted");
      await expect.poll(() => ticks, { timeout: 10_000 }).toBeGreaterThan(3);
    });

    it("replaces the timetable when a name is scheduled again, and leaves it be when it is the same", async () => {
      const queue = await openQueue();
      let ticks = 0;
      const count = () => void (ticks += 1);
      await schedule(queue, 3_600_000, count);
      await expect.poll(() => ticks).toBe(1);
      await schedule(queue, 3_600_000, count);
      await schedule(queue, 100, count);
      await expect.poll(() => ticks, { timeout: 10_000 }).toBeGreaterThan(3);
      expect(await queue.scheduled()).toEqual(["sweep"]);
      const cron = await queue.schedule(
        "sweep",
        { cron: "0 3 1 1 *", timezone: "America/New_York" },
        async () => count(),
      );
      workers.push(cron);
      // A tick that was under way may put the old timetable back once; the upkeep sets that right.
      const ticksInHalfASecond = async (): Promise<number> => {
        const before = ticks;
        await new Promise((resolve) => setTimeout(resolve, 500));
        return ticks - before;
      };
      await expect.poll(ticksInHalfASecond, { timeout: 15_000 }).toBe(0);
    });

    it("runs a cron timetable", async () => {
      const queue = await openQueue();
      const { promise, resolve } = Promise.withResolvers<number>();
      workers.push(
        await queue.schedule("each second", { cron: "* * * * * *", timezone: "Europe/Berlin" }, async () =>
          resolve(Date.now()),
        ),
      );
      expect((await promise) % 1_000).toBeLessThan(700);
    });

    it("removes a timetable for good, also where another process still has it", async () => {
      const [one, two] = [await openQueue({ upkeepMs: 50 }), await openQueue({ upkeepMs: 50 })];
      let ticks = 0;
      const count = () => void (ticks += 1);
      await schedule(one, 100, count);
      await schedule(two, 100, count);
      await schedule(two, 3_600_000, () => undefined, "kept: a");
      await expect.poll(() => ticks, { timeout: 10_000 }).toBeGreaterThan(1);
      await one.unschedule("sweep");
      // One may run and one may wait at that moment; none is planned after them.
      const settled = ticks + 2;
      await new Promise((resolve) => setTimeout(resolve, 700));
      expect(ticks).toBeLessThanOrEqual(settled);
      expect(await two.scheduled()).toEqual(["kept: a"]);
      await one.unschedule("never there");
    });

    it("counts and survives a tick whose handler throws", async () => {
      const queue = await openQueue();
      await schedule(queue, 100, () => {
        throw new Error("boom");
      });
      await expect.poll(() => handlerFaults.length, { timeout: 10_000 }).toBeGreaterThan(2);
    });

    it("tells how many rings wait, are active and are delayed", async () => {
      const queue = await openQueue();
      const began = Promise.withResolvers<void>();
      const gate = Promise.withResolvers<void>();
      queue.ring("desk", ["a"]);
      await queue.flush();
      await work(queue, 1, async () => {
        began.resolve();
        await gate.promise;
        return done;
      });
      await began.promise;
      queue.ring("desk", ["b"]);
      queue.ring("desk", ["c"], { priority: "export" });
      queue.ring("desk", ["d"], { at: Date.now() + 60_000 });
      await queue.flush();
      expect(await queue.depth("desk")).toEqual({ waiting: 2, active: 1, delayed: 1 });
      gate.resolve();
    });

    it("answers a ping, or says that it is not available", async () => {
      const queue = await openQueue({ answerMs: 500 });
      await queue.ping();
      await fixture.crash();
      await expect
        .poll(() => queue.ping().catch((error: unknown) => error))
        .toMatchObject({ code: "queue_unavailable" });
      await fixture.recover();
      await expect.poll(() => queue.ping().then(() => "answers"), { timeout: 15_000 }).toBe("answers");
    });

    it("closes in time while its backend is away", async () => {
      const queue = await openQueue({ answerMs: 500 });
      await listen(queue);
      await schedule(queue, 200, () => undefined);
      await fixture.crash();
      const start = performance.now();
      await Promise.all(workers.splice(0).map((worker) => worker.close(200)));
      await queue.close();
      expect(performance.now() - start).toBeLessThan(8_000);
      await fixture.recover();
    });
  });
}
