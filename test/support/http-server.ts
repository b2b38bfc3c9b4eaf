import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createServer as createTcpServer } from "node:net";
import type { FaultPlan } from "./vendor-faults.ts";
import { withFaults } from "./vendor-faults.ts";

/** A request that a stub received, its body read to the end. */
export interface StubRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingMessage["headers"];
  readonly text: string;
}

export interface StubServer {
  readonly url: string;
  readonly close: () => Promise<void>;
}

/**
 * Serves a vendor's stub over real HTTP on a free port of the loopback. What the handler returns is sent as JSON with status 200. What is to go
 * wrong is the plan's to say (`test/support/vendor-faults.ts`).
 */
export async function openStubServer(
  handle: (request: StubRequest, response: ServerResponse) => unknown,
  faults: FaultPlan = () => undefined,
): Promise<StubServer> {
  const serve = (request: IncomingMessage, response: ServerResponse): void => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const url = new URL(request.url ?? "/", "http://stub");
      const text = Buffer.concat(chunks).toString();
      const answer = handle({ method: request.method ?? "", url, headers: request.headers, text }, response);
      if (response.writableEnded || response.destroyed || answer === undefined) return;
      response.setHeader("content-type", "application/json").end(JSON.stringify(answer));
    });
  };
  return serveHttp(withFaults(serve, faults));
}

/** Listens on a free port of the loopback. */
export async function serveHttp(handler: RequestListener): Promise<StubServer> {
  const server = createServer(handler).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Answers with these bytes, whatever comes, and closes the connection. */
export async function serveBytes(answer: string): Promise<StubServer> {
  const server = createTcpServer((socket) => socket.once("data", () => socket.end(answer)));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
