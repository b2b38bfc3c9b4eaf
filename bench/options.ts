import { parseArgs } from "node:util";

/** What can be measured, in the order in which it is. */
export const measureNames = [
  "floor",
  "floor-node",
  "floor-axios",
  "drain",
  "end-to-end",
  "two-processes",
  "postgres-drain",
  "postgres-end-to-end",
  "lookup-drain",
  "idle",
  "memory",
  "budget",
] as const;
export type MeasureName = (typeof measureNames)[number];

/** What is measured of the Support API and of exports, only when it is asked for by name, and alone: each takes several minutes. */
export const deskMeasureNames = [
  "desk-queries",
  "desk-writes",
  "desk-feed",
  "export-exact",
  "export-speed",
  "export-files",
] as const;
type DeskMeasureName = (typeof deskMeasureNames)[number];

/** One measurement of the Support API or of exports. */
export interface DeskMeasure {
  readonly name: DeskMeasureName;
  /** How many tickets the desk has whose queries are measured, with five messages each; or those of the year that is exported. */
  readonly tickets: number;
  /** Messages that are exported. */
  readonly rows: number;
  /** What the exported year and its crashes are drawn from. */
  readonly seed: number;
  /** Sinks that are exported to; all that run here when undefined. */
  readonly sinks: readonly string[] | undefined;
  /** Writes of each kind in each round, and the clients that make them at a time. */
  readonly writes: number;
  readonly clients: number;
  /** How long the feed is that is read. */
  readonly changes: number;
  readonly rounds: number;
}

export interface BenchOptions {
  /** Events measured in each round, after the warm-up. */
  readonly events: number;
  readonly warmUp: number;
  readonly rounds: number;
  /** Calls to the desk at a time, of the floor and of the product alike. */
  readonly concurrency: number;
  /** Keep-alive connections of the sender, each with one request under way. */
  readonly connections: number;
  /** Operations that wait for a desk with a rate limit, and for how long their calls are watched. */
  readonly budget: { readonly operations: number; readonly seconds: number };
  readonly only: ReadonlySet<MeasureName>;
  /** Undefined for not measuring the Support API. */
  readonly desk: DeskMeasure | undefined;
  readonly json: boolean;
  /** Where CPU profiles of the measured processes go; undefined for none. */
  readonly profile: string | undefined;
}

export const help = `npm run -s bench -- [options]

Measures deskbridge on this machine: real Redis, real PostgreSQL, real HTTP; only the desk is a stub. Takes about eight minutes.

  --events N        events measured in each round (8000)
  --rounds N        rounds, each with everything in it in turn; the median counts (3)
  --concurrency N   calls to the desk at a time, for floor and product alike (20)
  --connections N   connections of the webhook sender (48)
  --budget-operations N  operations that wait for a desk with a rate limit (2000)
  --budget-seconds N     how long they are watched, at least 60 (200)
  --only NAMES      some of: ${measureNames.join(", ")}
  --only NAME       instead, one measurement of the Support API:
    desk-queries    its lists, searches and metrics on a desk that is filled first, with --tickets N (1000000)
    desk-writes     upserts and messages against the same in bare SQL, with --writes N (20000) from --clients N (16)
    desk-feed       the change feed to one reader, with --changes N (500000)
  --only NAME       or one of exports:
    export-exact    a year of a desk with --tickets N (200000), exported by 30 runs with processes killed on the way to every sink
                    that runs here or --sinks NAMES, and held row by row against brute force; --seed N (a new one)
    export-speed    messages to Parquet and PostgreSQL beside bare copies, with --rows N (5000000)
    export-files    the Parquet sink alone, with rows that are ready, beside DuckDB's own COPY, with --rows N (5000000)
  --profile DIR     write CPU profiles of the measured processes
  --json            the figures as one JSON object on the last line
  --help

Ends with 1 when an event was lost, doubled or not brought to its end, and when a row in a warehouse is not as it should be.`;

/** Reads the command line; \`help\` when it asks for help. Throws with a sentence for the user where it cannot be understood. */
export function parseOptions(argv: readonly string[]): BenchOptions | "help" {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      events: { type: "string", default: "8000" },
      rounds: { type: "string", default: "3" },
      concurrency: { type: "string", default: "20" },
      connections: { type: "string", default: "48" },
      "budget-operations": { type: "string", default: "2000" },
      "budget-seconds": { type: "string", default: "200" },
      only: { type: "string", multiple: true },
      tickets: { type: "string" },
      rows: { type: "string", default: "5000000" },
      seed: { type: "string" },
      sinks: { type: "string" },
      writes: { type: "string", default: "20000" },
      clients: { type: "string", default: "16" },
      changes: { type: "string", default: "500000" },
      profile: { type: "string" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return "help";
  const events = positive("--events", values.events);
  return {
    events,
    warmUp: Math.ceil(events / 5),
    rounds: positive("--rounds", values.rounds),
    concurrency: positive("--concurrency", values.concurrency),
    connections: positive("--connections", values.connections),
    budget: {
      operations: positive("--budget-operations", values["budget-operations"]),
      seconds: positive("--budget-seconds", values["budget-seconds"]),
    },
    ...parseOnly(values.only ?? [], {
      ...(values.tickets === undefined ? {} : { tickets: positive("--tickets", values.tickets) }),
      rows: positive("--rows", values.rows),
      seed: values.seed === undefined ? 1 + Math.floor(Math.random() * 1e6) : positive("--seed", values.seed),
      sinks: values.sinks?.split(",").map((name) => name.trim()),
      writes: positive("--writes", values.writes),
      clients: positive("--clients", values.clients),
      changes: positive("--changes", values.changes),
      rounds: positive("--rounds", values.rounds),
    }),
    json: values.json,
    profile: values.profile,
  };
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new Error(`${name} ${text} is not a whole number above zero`);
}

const usualTickets = 1_000_000;
const usualYear = 200_000;

function parseOnly(
  given: readonly string[],
  sizes: Omit<DeskMeasure, "name" | "tickets"> & { readonly tickets?: number },
): Pick<BenchOptions, "only" | "desk"> {
  const name = given.length === 1 ? deskMeasureNames.find((known) => known === given[0]) : undefined;
  const { tickets = name === "export-exact" ? usualYear : usualTickets } = sizes;
  if (name !== undefined) return { only: new Set(), desk: { name, ...sizes, tickets } };
  return { only: parseNames(given), desk: undefined };
}

function parseNames(given: readonly string[]): ReadonlySet<MeasureName> {
  const names = given.flatMap((text) => text.split(",")).map((name) => name.trim());
  if (names.length === 0) return new Set(measureNames);
  return new Set(
    names.map((name) => {
      const found = measureNames.find((known) => known === name);
      if (found === undefined) throw new Error(`--only ${name}: there are ${measureNames.join(", ")}`);
      return found;
    }),
  );
}
