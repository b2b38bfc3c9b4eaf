import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, request as forward } from "node:http";
import type { AddressInfo } from "node:net";

/** What becomes of one write on its way to the desk. All but `lost` never get there. */
export type DeskFault =
  /** This answer instead of the desk's. */
  | {
      readonly kind: "answer";
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body: string;
    }
  /** An answer that breaks off in the middle of its body. */
  | { readonly kind: "half"; readonly body: string }
  /** No answer at all. */
  | { readonly kind: "silent" }
  /** The connection is cut. */
  | { readonly kind: "cut" }
  /** The desk gets it and acts, but its answer is lost. */
  | { readonly kind: "lost" };

/** A way to a desk on which writes go wrong when told; reads pass. */
export interface DeskProxy {
  readonly url: string;
  /** The next write meets this fault; several are met one after the other. */
  readonly meet: (...faults: readonly DeskFault[]) => void;
  /** Writes that came in so far. */
  readonly writes: () => number;
  /** Resolves when one more write has come in. */
  readonly arrival: () => Promise<void>;
  readonly close: () => Promise<void>;
}

interface DeskProxyOptions {
  /** Paths whose requests pass like reads, such as that of a token. */
  readonly passes?: RegExp;
}

/** Opens a proxy on a free port of 127.0.0.1 in front of a desk at `target`, an `http:` address. */
export async function openDeskProxy(target: string, options: DeskProxyOptions = {}): Promise<DeskProxy> {
  const faults: DeskFault[] = [];
  let writes = 0;
  let waiting: (() => void)[] = [];
  const server = createServer((request, response) => {
    const isRead = request.method === "GET" || options.passes?.test(request.url ?? "") === true;
    let fault: DeskFault | undefined;
    if (!isRead) {
      writes += 1;
      for (const arrived of waiting) arrived();
      waiting = [];
      fault = faults.shift();
    }
    // The body is read whole first, so that a client never sees its own sending fail.
    readAll(request)
      .then((body) => play(fault, target, { request, body, response }))
      .catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    meet: (...next) => void faults.push(...next),
    writes: () => writes,
    arrival: () => new Promise((resolve) => void waiting.push(resolve)),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly body: Buffer;
  readonly response: ServerResponse;
}

async function play(fault: DeskFault | undefined, target: string, exchange: Exchange): Promise<void> {
  const { response } = exchange;
  switch (fault?.kind) {
    case "answer":
      response.writeHead(fault.status, { "content-type": "application/json", ...fault.headers });
      response.end(fault.body);
      break;
    case "half":
      response.writeHead(200, {
        "content-type": "application/json",
        "content-length": fault.body.length + 100,
      });
      response.write(fault.body, () => response.destroy());
      break;
    case "silent":
      break;
    case "cut":
      response.destroy();
      break;
    case "lost":
      await passOn(target, exchange);
      response.destroy();
      break;
    case undefined: {
      const answer = await passOn(target, exchange);
      response.writeHead(answer.status, answer.headers);
      response.end(answer.body);
    }
  }
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

async function passOn(target: string, { request, body }: Exchange): Promise<Answer> {
  const { method, url = "/", headers } = request;
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const outgoing = forward(new URL(target), { method, path: url, headers, agent: false }, resolve);
    outgoing.on("error", reject);
    outgoing.end(body);
  });
  return { status: answer.statusCode ?? 502, headers: answer.headers, body: await readAll(answer) };
}

async function readAll(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}
