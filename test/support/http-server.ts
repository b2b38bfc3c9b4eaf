import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

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

/** Serves a vendor's stub over real HTTP on a free port of the loopback. What the handler returns is sent as JSON with status 200. */
export async function openStubServer(
  handle: (request: StubRequest, response: ServerResponse) => unknown,
): Promise<StubServer> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const url = new URL(request.url ?? "/", "http://stub");
      const text = Buffer.concat(chunks).toString();
      const answer = handle({ method: request.method ?? "", url, headers: request.headers, text }, response);
      if (response.writableEnded || response.destroyed || answer === undefined) return;
      response.setHeader("content-type", "application/json").end(JSON.stringify(answer));
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
