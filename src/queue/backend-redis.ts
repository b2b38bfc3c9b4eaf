import { createRedisBackend } from "bullmq";
import { AppError } from "../errors.ts";
import { type Backend, restAfterFaults } from "./backend.ts";
import type { FaultLog } from "./fault-log.ts";
import { connected, connectRedis, parseRedisUrl } from "./redis-url.ts";

/**
 * BullMQ on Redis: one connection for adding jobs, one for the workers' commands, and one a worker for waiting. Resolves also when Redis
 * cannot be reached yet; everything connects when it can.
 */
export async function openRedisBackend(url: string, prefix: string, faults: FaultLog): Promise<Backend> {
  const address = parseRedisUrl(url);
  const producer = connectRedis(address, "failingFast");
  const consumer = connectRedis(address, "waiting");
  for (const client of [producer, consumer]) {
    client.setMaxListeners(0);
    client.on("error", (error) => faults.report("redis connection fault", error));
  }
  await connected(producer);
  return {
    factory: (name, options, roles) => restAfterFaults(createRedisBackend(name, options, roles), 500),
    producerConnection: producer,
    workerConnection: consumer,
    add: async (queue, jobs) => {
      // BullMQ would wait for the first connection, and with it everything that is added meanwhile.
      if (producer.status !== "ready") throw new AppError("queue_unavailable", "Redis is not connected");
      await queue.addBulk([...jobs]);
    },
    // The braces keep all keys of one queue in one slot of a cluster; other queues go to other slots.
    prefix: (queue) => `{${prefix}:${queue}}`,
    ping: async () => {
      await producer.ping();
    },
    close: async () => {
      producer.disconnect();
      consumer.disconnect();
    },
  };
}
