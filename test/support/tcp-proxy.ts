import type { AddressInfo, Server, Socket } from "node:net";
import { connect, createServer } from "node:net";

/** Which way the bytes go. */
export type Direction = "toServer" | "toClient";

/** Stands between a client and a server, so that a test can take the server away, or the network, and bring it back. */
export interface TcpProxy {
  /** The server's URL, by way of the proxy. */
  readonly url: string;
  /** Breaks every connection and refuses new ones. */
  readonly cut: () => Promise<void>;
  /** Takes connections again, at the same port. */
  readonly restore: () => Promise<void>;
  /**
   * From now on nothing gets through that way, or either way: no bytes, no end of a connection, no reset. New connections are taken and are as
   * dead. Neither side hears of it, not even of the other one's death.
   */
  readonly blackHole: (directions?: readonly Direction[]) => void;
  /** Lets through what was held back, as the network would by sending it again, and everything after it. */
  readonly heal: () => void;
  readonly close: () => Promise<void>;
}

/** One direction of one connection. */
interface Stream {
  readonly direction: Direction;
  readonly from: Socket;
  /** What came while nothing got through, and is still to be done. */
  readonly held: (() => void)[];
}

/** Opens a proxy on loopback to the host and port of a URL. */
export async function openTcpProxy(url: string): Promise<TcpProxy> {
  const target = new URL(url);
  const streams = new Set<Stream>();
  const dead = new Set<Direction>();
  let server: Server | undefined;

  const forward = (direction: Direction, from: Socket, to: Socket): void => {
    const stream: Stream = { direction, from, held: [] };
    streams.add(stream);
    const pass = (deed: () => void): void => void (dead.has(direction) ? stream.held.push(deed) : deed());
    from.on("data", (chunk) => {
      pass(() => {
        if (!to.write(chunk)) from.pause();
      });
    });
    to.on("drain", () => {
      if (!dead.has(direction)) from.resume();
    });
    // Either end may go first; the other one follows.
    from.on("end", () => pass(() => to.end()));
    from.on("error", () => undefined);
    from.on("close", () => {
      pass(() => {
        streams.delete(stream);
        to.destroy();
      });
    });
    if (dead.has(direction)) from.pause();
  };
  const listen = async (port: number): Promise<number> => {
    const listening = createServer({ allowHalfOpen: true }, (client) => {
      const upstream = connect({
        port: Number(target.port),
        host: target.hostname,
        allowHalfOpen: true,
        noDelay: true,
      });
      client.setNoDelay(true);
      forward("toServer", client, upstream);
      forward("toClient", upstream, client);
    });
    await new Promise<void>((resolve, reject) => {
      listening.once("error", reject);
      listening.listen(port, "127.0.0.1", resolve);
    });
    server = listening;
    return (listening.address() as AddressInfo).port;
  };
  const cut = async (): Promise<void> => {
    const closing = server;
    server = undefined;
    const closed = new Promise<void>((resolve) =>
      closing === undefined ? resolve() : closing.close(() => resolve()),
    );
    for (const { from } of streams) from.destroy();
    await closed;
  };

  const port = await listen(0);
  const proxied = new URL(url);
  proxied.hostname = "127.0.0.1";
  proxied.port = String(port);
  return {
    url: proxied.href,
    cut,
    restore: async () => void (await listen(port)),
    blackHole: (directions = ["toServer", "toClient"]) => {
      for (const direction of directions) dead.add(direction);
      for (const { direction, from } of streams) if (dead.has(direction)) from.pause();
    },
    heal: () => {
      dead.clear();
      for (const { from, held } of streams) {
        for (const deed of held.splice(0)) deed();
        from.resume();
      }
    },
    close: cut,
  };
}
