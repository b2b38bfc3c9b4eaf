import { Redis } from "ioredis";
import { startRedis } from "../support/redis.ts";
import type { QueueFixture } from "./queue-conformance.ts";
import { describeQueue } from "./queue-conformance.ts";
import { describeDeadTicks } from "./queue-dead-ticks.ts";

async function open(): Promise<QueueFixture> {
  const redis = await startRedis();
  return {
    url: { redisUrl: redis.url },
    crash: redis.kill9,
    recover: redis.restart,
    forget: async () => {
      const client = new Redis(redis.url);
      await client.flushall();
      client.disconnect();
    },
    stop: redis.stop,
  };
}

describeQueue("Redis", open);
describeDeadTicks("Redis", open);
