import type { Socket } from "node:net";
import { connect } from "node:net";
import { once } from "node:events";
import { serveCalls, sharedNow } from "./calls.ts";
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

interface Connection {
  /** Writes one request and resolves with the status when its whole answer is there. */
  readonly ask: (request: Buffer) => Promise<number>;
  readonly close: () => void;
}

/** A keep-alive connection that understands just the answers of a known server: a status line and a content length. */
async function openConnection(port: number): Promise<Connection> {
  const socket: Socket = connect({ port, host: "127.0.0.1", noDelay: true });
  await once(socket, "connect");
  let answer: PromiseWithResolvers<number> | undefined;
  let received = "";
  socket.setEncoding("latin1");
  socket.on("data", (chunk: string) => {
    received += chunk;
    const headEnd = received.indexOf("\r\n\r\n");
    if (headEnd < 0) return;
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(received.slice(0, headEnd))?.[1] ?? Number.NaN);
    if (Number.isNaN(length))
      socket.destroy(new Error(`an answer without a length: ${received.slice(0, 200)}`));
    if (received.length < headEnd + 4 + length) return;
    const status = Number(received.slice(9, 12));
    received = "";
    answer?.resolve(status);
  });
  const fail = (error?: Error): void => answer?.reject(error ?? new Error("the server hung up"));
  socket.on("error", fail).on("close", () => fail());
  return {
    ask: (request) => {
      answer = Promise.withResolvers<number>();
      socket.write(request);
      return answer.promise;
    },
    close: () => void socket.destroy(),
  };
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
