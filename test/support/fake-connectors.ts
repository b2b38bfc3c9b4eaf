import { z } from "zod";
import { AppError } from "../../src/errors.ts";
import type { EventInput } from "../../src/model/event.ts";
import type { Registry } from "../../src/registry/registry.ts";
import type { Connection, ConnectorDefinition } from "../../src/sdk/connector.ts";
import { defineConnector } from "../../src/sdk/connector.ts";

/** A registry of these connections, each under its name as a connector of any settings. */
export function registryWith(connections: Readonly<Record<string, Connection>>): Registry {
  const definitions = Object.entries(connections).map(([name, connection]) =>
    defineConnector({
      name,
      description: `The ${name} of a test.`,
      config: z.strictObject({ token: z.string().min(1).optional().describe("A secret.") }),
      open: () => connection,
    }),
  );
  const byName = new Map<string, ConnectorDefinition>(
    definitions.map((definition) => [definition.name, definition]),
  );
  return {
    names: async () => [...byName.keys()],
    get: async (name) => {
      const definition = byName.get(name);
      if (definition === undefined) throw new AppError("connector_unknown", `There is no connector ${name}.`);
      return definition;
    },
  };
}

/** A desk that opens tickets and remembers nothing. */
export const fakeDesk: Connection = {
  desk: {
    idempotency: { kind: "key", windowSeconds: 3600 },
    operations: {
      "ticket.open": async () => ({ result: "created", kind: "ticket", id: "tkt_1", number: "1" }),
    },
  },
};

/** A source of one event a minute, from `since` on; `beforePage` is awaited before each page of two. */
export function minutely(
  eventAt: (time: string) => EventInput,
  beforePage: (from: string, signal: AbortSignal) => Promise<void> = async () => undefined,
): Connection {
  return {
    sources: {
      orders: {
        description: "One order a minute.",
        every: "5m",
        async *read({ cursor, until, signal }) {
          const end = until === undefined ? Date.now() : Date.parse(until);
          let at = Date.parse(cursor?.time ?? "2026-11-22T10:00:00.000Z");
          while (at < end) {
            await beforePage(new Date(at).toISOString(), signal);
            const times = [at, at + 60_000].filter((time) => time < end);
            at += 120_000;
            const events = times.map((time) => eventAt(new Date(time).toISOString()));
            yield { events, cursor: { time: new Date(Math.min(at, end)).toISOString(), seen: [] } };
          }
        },
      },
    },
  };
}
