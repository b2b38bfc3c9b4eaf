import { once } from "node:events";
import { connect, type AddressInfo, type Socket } from "node:net";
import { createServer, getCACertificates, setDefaultCACertificates } from "node:tls";
import { generate } from "selfsigned";

/** A door with TLS in front of a port of ours, as managed services have it. */
export interface TlsProxy {
  readonly port: number;
  /** Makes this process trust the certificate of the proxy. */
  readonly trust: () => void;
  /** Takes that back and stops the proxy. */
  readonly stop: () => Promise<void>;
}

/** Passes what comes over TLS to the port on loopback. Its certificate is made out to `localhost` and signed by nobody else. */
export async function startTlsProxy(port: number): Promise<TlsProxy> {
  const { cert, private: key } = await generate([{ name: "commonName", value: "localhost" }], {
    keyType: "ec",
    algorithm: "sha256",
    extensions: [
      { name: "basicConstraints", cA: true },
      { name: "subjectAltName", altNames: [{ type: 2, value: "localhost" }] },
    ],
  });
  const sockets = new Set<Socket>();
  const server = createServer({ cert, key }, (outside) => {
    const inside = connect(port, "127.0.0.1");
    for (const socket of [outside, inside]) {
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        sockets.delete(socket);
        outside.destroy();
        inside.destroy();
      });
    }
    outside.pipe(inside).pipe(outside);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const trusted = getCACertificates("default");
  return {
    port: (server.address() as AddressInfo).port,
    trust: () => setDefaultCACertificates([...trusted, cert]),
    stop: async () => {
      setDefaultCACertificates(trusted);
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
