import { startRedis } from "../support/redis.ts";
import { describeBudget } from "./queue-budget.ts";

describeBudget("Redis", async () => {
  const redis = await startRedis();
  return {
    store: () => ({ redisUrl: redis.url }),
    crash: redis.kill9,
    recover: redis.restart,
    stop: redis.stop,
  };
});
