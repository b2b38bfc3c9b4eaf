import { request as forward } from "node:http";
import type { StubServer } from "./http-server.ts";
import { serveHttp } from "./http-server.ts";

/** Stands before an HTTP server and answers 500 in its place when it is told to. */
export interface FailingProxy extends StubServer {
  /** So many calls from now on get through, all later ones are answered 500. */
  readonly failAfter: (calls: number) => void;
  /** Calls that got through so far. */
  readonly passed: () => number;
}

export async function openFailingProxy(target: string): Promise<FailingProxy> {
  let left = Infinity;
  let passed = 0;
  const server = await serveHttp((incoming, response) => {
    left -= 1;
    if (left < 0) {
      incoming.resume();
      response.writeHead(500).end();
      return;
    }
    passed += 1;
    const { method, headers, url } = incoming;
    const outgoing = forward(new URL(url ?? "/", target), { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    outgoing.on("error", () => response.destroy());
    incoming.pipe(outgoing);
  });
  return { ...server, failAfter: (calls) => void (left = calls), passed: () => passed };
}
