import { once } from "node:events";
import type { Socket } from "node:net";
import { connect } from "node:net";

/** A connection that carries one request at a time. */
export interface Connection {
  /** Writes one request and resolves with the status when its whole answer is there. */
  readonly ask: (request: Buffer) => Promise<number>;
  readonly close: () => void;
}

/** Opens a keep-alive connection to the loopback that understands just the answers of a known server: a status line and a content length. */
export async function openConnection(port: number): Promise<Connection> {
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
