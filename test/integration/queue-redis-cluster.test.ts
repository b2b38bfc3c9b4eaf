import { Redis } from "ioredis";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, vi } from "vitest";
import { startRedis } from "../support/redis.ts";
import { describeQueue } from "./queue-conformance.ts";

// One node that holds all slots: like any cluster it refuses a command whose keys lie in different slots.
describeQueue("a Redis cluster", async () => {
  const folder = await mkdtemp(join(tmpdir(), "deskbridge-cluster-"));
  const settings = ["--cluster-enabled", "yes", "--cluster-announce-ip", "127.0.0.1"];
  const redis = await startRedis([...settings, "--cluster-config-file", join(folder, "nodes.conf")]);
  const ask = async (...words: readonly [string, ...string[]]) => {
    const client = new Redis(redis.url);
    const answer = String(await client.call(...words));
    client.disconnect();
    return answer;
  };
  await ask("CLUSTER", "ADDSLOTSRANGE", "0", "16383");
  await vi.waitFor(async () => expect(await ask("CLUSTER", "INFO")).toContain("cluster_state:ok"), 10_000);
  return {
    url: { redisUrl: `redis+cluster://127.0.0.1:${redis.port}` },
    crash: redis.kill9,
    recover: redis.restart,
    forget: async () => void (await ask("FLUSHALL")),
    stop: async () => {
      await redis.stop();
      await rm(folder, { recursive: true });
    },
  };
});
