import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
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
  const server = createServer(withFaults(serve, faults)).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
