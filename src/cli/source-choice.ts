import type { App } from "../app.ts";
import { AppError } from "../errors.ts";
import type { OpenConnection } from "../jobs/engine.ts";
import { sourceOf } from "../schedule/poller.ts";
import { didYouMean } from "../sdk/nearest-name.ts";

/** A connection and those of its sources that a command is about. */
export interface ChosenSources {
  readonly connection: OpenConnection;
  readonly sources: readonly string[];
}

/** The open connection of a name and its sources, or the one named. Throws `connection_unknown` or `capability_missing`. */
export function chooseSources(app: App, name: string, source: string | undefined): ChosenSources {
  const { connections } = app.engine.setup();
  const connection = connections.get(name);
  if (connection === undefined) {
    const known = [...connections.keys()];
    const hint = didYouMean(name, known) || ` There are ${known.join(", ") || "none"}.`;
    throw new AppError("connection_unknown", `no connection ${name} is configured.${hint}`);
  }
  const sources = source === undefined ? Object.keys(connection.connection.sources ?? {}) : [source];
  if (sources.length === 0) {
    throw new AppError(
      "capability_missing",
      `connection ${name} has no sources: its events come by webhook only`,
    );
  }
  for (const one of sources) sourceOf(connection, one);
  return { connection, sources };
}
