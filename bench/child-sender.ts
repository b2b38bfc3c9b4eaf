import { serveCalls, sharedNow } from "./calls.ts";
import type { Connection } from "./http-connection.ts";
import { openConnection } from "./http-connection.ts";
import { webhookRequest } from "./traffic.ts";

export interface Load {
  /** Where the hook is, such as `http://127.0.0.1:4000/hooks/shop`. */
  readonly url: string;
  readonly run: string;
  /** Events `from` to `from + count - 1` of the run. */
  readonly from: number;
  readonly count: number;
}

export interface Sent {
  readonly startedAt: number;
  /** When the last answer came; both are on the shared clock. */
  readonly endedAt: number;
  /** When each request was written, in the order of the events. */
  readonly sentAt: readonly number[];
  /** From each request to its answer, in milliseconds. */
  readonly ackMs: readonly number[];
  /** Answers by status. */
  readonly statuses: Readonly<Record<string, number>>;
}

/** Sends all of the requests over the connections, each with one request under way at a time. */
async function sendAll(requests: readonly Buffer[], connections: readonly Connection[]): Promise<Sent> {
  const sentAt: number[] = [];
  const ackMs: number[] = [];
  const statuses: Record<string, number> = {};
  const startedAt = sharedNow();
  let next = 0;
  const work = async ({ ask }: Connection): Promise<void> => {
    while (next < requests.length) {
      const index = next;
      next += 1;
      const before = sharedNow();
      const status = await ask(requests[index] as Buffer);
      sentAt[index] = before;
      ackMs[index] = sharedNow() - before;
      statuses[status] = (statuses[status] ?? 0) + 1;
    }
  };
  await Promise.all(connections.map(work));
  return { startedAt, endedAt: sharedNow(), sentAt, ackMs, statuses };
}

function createHandlers() {
  // Prepared beforehand, so that building and signing bodies is not measured.
  let requests: Buffer[] = [];
  let connections: Connection[] = [];
  let port = 0;
  return {
    prepare: ({ url, run, from, count }: Load): void => {
      const { host, pathname, port: itsPort } = new URL(url);
      port = Number(itsPort);
      const sentAt = new Date();
      requests = Array.from({ length: count }, (_, index) =>
        webhookRequest({ run, number: from + index }, host, pathname, sentAt),
      );
    },
    connect: async (count: number): Promise<void> => {
      for (const connection of connections) connection.close();
      connections = await Promise.all(Array.from({ length: count }, () => openConnection(port)));
    },
    send: () => sendAll(requests, connections),
    /** Sends one of the prepared requests; resolves with the time of its writing, when it was acknowledged. */
    sendOne: async (index: number): Promise<number> => {
      const before = sharedNow();
      const status = await (connections[0] as Connection).ask(requests[index] as Buffer);
      if (status !== 202) throw new Error(`the webhook was answered ${status}`);
      return before;
    },
  };
}
export type SenderHandlers = ReturnType<typeof createHandlers>;

serveCalls(createHandlers());
