import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openBullmqQueue } from "../../src/queue/bullmq.ts";
import type { Ring } from "../../src/queue/queue.ts";
import { captureLog } from "../support/captured-log.ts";
import { startRedis, type TestRedis } from "../support/redis.ts";
import { startTlsProxy, type TlsProxy } from "../support/tls-proxy.ts";

describe("queue on Redis over TLS", () => {
  let redis: TestRedis;
  let proxy: TlsProxy;
  const log = captureLog();
  beforeAll(async () => {
    redis = await startRedis(["--requirepass", "p@ss/word"]);
    proxy = await startTlsProxy(redis.port);
  });
  afterAll(async () => {
    await proxy.stop();
    await redis.stop();
  });
  const open = (user: string) =>
    openBullmqQueue({
      redisUrl: `rediss://${user}localhost:${proxy.port}`,
      logger: log.logger,
      timing: { answerMs: 1_000 },
    });

  it("does not talk to a server whose certificate nobody vouches for", async () => {
    const queue = await open(":p%40ss%2Fword@");
    await expect(queue.ping()).rejects.toMatchObject({ code: "queue_unavailable" });
    await queue.close();
    expect(JSON.stringify(log.lines())).toMatch(/SELF_SIGNED|UNABLE_TO_VERIFY/);
  });

  it("brings rings over TLS with a password, and refuses to answer without it", async () => {
    proxy.trust();
    const queue = await open(":p%40ss%2Fword@");
    const { promise, resolve } = Promise.withResolvers<Ring>();
    const worker = await queue.work("desk", 1, async (ring) => {
      resolve(ring);
      return { kind: "done" };
    });
    queue.ring("desk", ["order/1"]);
    expect((await promise).lanes).toEqual(["order/1"]);
    await worker.close(1_000);
    await queue.close();

    const stranger = await open("");
    await expect(stranger.ping()).rejects.toMatchObject({ code: "queue_unavailable" });
    await stranger.close();
    expect(JSON.stringify(log.lines())).not.toContain("p@ss");
  });
});
