import { randomBytes } from "node:crypto";
import { pino } from "pino";
import { openDesk } from "../src/desk/desk.ts";
import { createHttpServer } from "../src/http/server.ts";
import { serveCalls } from "./calls.ts";

let close = async (): Promise<void> => undefined;

const handlers = {
  /** Opens the Support API on a database, as `deskbridge serve` does, and answers where it is. */
  open: async (databaseUrl: string): Promise<{ readonly url: string; readonly key: string }> => {
    await close();
    const logger = pino({ level: "silent" });
    const key = randomBytes(16).toString("hex");
    const desk = await openDesk({ databaseUrl, logger, now: Date.now, bootstrapKey: key });
    const server = createHttpServer({ logger, maxBodyBytes: 1024 * 1024 });
    await server.register(desk.plugin);
    close = async () => {
      server.server.closeAllConnections();
      await server.close();
      await desk.close();
    };
    return { url: await server.listen({ host: "127.0.0.1", port: 0 }), key };
  },
};
export type DeskHandlers = typeof handlers;

serveCalls(handlers, () => close());
