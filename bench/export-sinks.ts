import { join } from "node:path";
import { registryOf } from "../src/cli/context.ts";
import type { DatasetName } from "../src/model/dataset.ts";

/** A kind of warehouse in the bench: one that is filled bit by bit, and one that is filled at once. */
export interface BenchSink {
  readonly name: string;
  readonly export: string;
  readonly fullExport: string;
  /** Settings of the connection, but for `use`; `place` keeps the two apart. */
  readonly settings: (place: string) => Readonly<Record<string, unknown>>;
}

export const exactDatasets = [
  "tickets",
  "messages",
  "contacts",
  "orders",
  "ticket_orders",
  "ticket_events",
  "ticket_metrics",
  "metrics_daily",
] as const satisfies readonly DatasetName[];

/** Every sink that is installed and needs nothing but this machine, or those that are named. */
export async function sinksOf(
  folder: string,
  postgresUrl: string,
  only: readonly string[] | undefined,
): Promise<readonly BenchSink[]> {
  const files = (place: string) => ({ path: join(folder, "warehouse", place) });
  const known: Readonly<Record<string, BenchSink["settings"]>> = {
    parquet: (place) => files(`parquet-${place}`),
    duckdb: (place) => files(`${place}.duckdb`),
    csv: (place) => files(`csv-${place}`),
    jsonl: (place) => files(`jsonl-${place}`),
    postgres: (place) => ({ url: postgresUrl, schema: `lake_${place}` }),
  };
  const installed = await registryOf().names();
  const sinks = Object.entries(known).flatMap(([name, settings]) =>
    installed.includes(name) && (only === undefined || only.includes(name))
      ? [{ name, export: `to-${name}`, fullExport: `all-to-${name}`, settings }]
      : [],
  );
  if (sinks.length === 0) throw new Error("there is no sink to export to");
  return sinks;
}

type Named = readonly [name: string, settings: object];

/** A configuration (JSON is YAML) with two exports a sink: of what changed, and of everything. */
export function exactConfig(sinks: readonly BenchSink[], chunk: number): string {
  const connections: readonly Named[] = sinks.flatMap(({ name, settings }) =>
    ["part", "whole"].map((place) => [`${name}-${place}`, { use: name, ...settings(place) }] as const),
  );
  const exportTo = (to: string): object => ({ from: "desk", datasets: exactDatasets, to, chunk });
  const exports = sinks.flatMap((sink): readonly Named[] => [
    [sink.export, exportTo(`${sink.name}-part`)],
    [sink.fullExport, exportTo(`${sink.name}-whole`)],
  ]);
  return JSON.stringify({
    connections: { desk: { use: "deskbridge" }, ...Object.fromEntries(connections) },
    flows: {},
    exports: Object.fromEntries(exports),
  });
}
