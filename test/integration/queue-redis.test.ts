import { Redis } from "ioredis";
import { startRedis } from "../support/redis.ts";
import { describeQueue } from "./queue-conformance.ts";

describeQueue("Redis", async () => {
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
});
