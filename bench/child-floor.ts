import { Agent, request } from "node:http";
import axios from "axios";
import { Queue, Worker } from "bullmq";
import { createHttpClient } from "../src/sdk/http-client.ts";
import { serveCalls } from "./calls.ts";
import { ticketBody, writeMark } from "./traffic.ts";

/** `product` is the HTTP client that connectors use (axios's adapter with keep-alive agents), `axios` the library as it comes, `node` bare `node:http`. */
export type FloorClient = "product" | "axios" | "node";

export interface FloorOrder {
  readonly redisPort: number;
  readonly stubUrl: string;
  readonly run: string;
  readonly count: number;
  readonly concurrency: number;
  readonly client: FloorClient;
}

const queueName = "floor";
type Post = (path: string, body: unknown) => Promise<void>;

function createPost({ client, stubUrl, concurrency }: FloorOrder): Post {
  const agent = new Agent({ keepAlive: true, maxSockets: concurrency });
  switch (client) {
    case "product": {
      const http = createHttpClient({ baseUrl: stubUrl }, { now: Date.now });
      return async (path, body) => void (await http.request({ method: "POST", path, body }));
    }
    case "axios": {
      const http = axios.create({
        baseURL: stubUrl,
        httpAgent: agent,
        timeout: 30_000,
        maxRedirects: 0,
        proxy: false,
      });
      return async (path, body) => void (await http.post(path, body));
    }
    case "node":
      return (path, body) => postBare(`${stubUrl}${path}`, agent, JSON.stringify(body));
  }
}

function postBare(url: string, agent: Agent, text: string): Promise<void> {
  const headers = { "content-type": "application/json", "content-length": String(Buffer.byteLength(text)) };
  return new Promise((resolve, reject) => {
    request(url, { method: "POST", agent, headers }, (response) => {
      response.resume().on("end", resolve).on("error", reject);
    })
      .on("error", reject)
      .end(text);
  });
}

function createHandlers() {
  let worker: Worker | undefined;
  let handledMs: number[] = [];
  return {
    /** Puts one job a ticket into the queue. */
    enqueue: async ({ redisPort, run, count }: FloorOrder): Promise<void> => {
      const queue = new Queue(queueName, {
        connection: { host: "127.0.0.1", port: redisPort },
        defaultJobOptions: { removeOnComplete: true, removeOnFail: true },
      });
      for (let start = 0; start < count; start += 1000) {
        const numbers = Array.from({ length: Math.min(1000, count - start) }, (_, index) => start + index);
        await queue.addBulk(numbers.map((number) => ({ name: "ticket", data: { run, number } })));
      }
      await queue.close();
    },
    /** Starts to work on them: one POST a job. */
    work: async (order: FloorOrder): Promise<void> => {
      const post = createPost(order);
      handledMs = [];
      worker = new Worker<{ run: string; number: number }>(
        queueName,
        async ({ data }) => {
          const startedAt = performance.now();
          await post(`/v1/tickets/${writeMark(data)}`, ticketBody(data));
          handledMs.push(performance.now() - startedAt);
        },
        { connection: { host: "127.0.0.1", port: order.redisPort }, concurrency: order.concurrency },
      );
      worker.on("error", (error) => process.stderr.write(`floor: ${error.message}\n`));
      await worker.waitUntilReady();
    },
    /** Waits for the jobs under way; gives how long each took from its start to the desk's answer, in milliseconds. */
    finish: async (): Promise<readonly number[]> => {
      await worker?.close();
      return handledMs;
    },
  };
}
export type FloorHandlers = ReturnType<typeof createHandlers>;

serveCalls(createHandlers());
