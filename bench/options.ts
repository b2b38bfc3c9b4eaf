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

/** Measured only when it is asked for by name, and alone: it takes several minutes. */
export const deskQueriesName = "desk-queries";

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
  /** How many tickets the desk has whose queries are measured, with five messages each; undefined for not measuring them. */
  readonly deskTickets: number | undefined;
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
  --only ${deskQueriesName}
                    the queries of the Support API instead, on a desk that is filled first
  --tickets N       how many tickets that has (1000000)
  --profile DIR     write CPU profiles of the measured processes
  --json            the figures as one JSON object on the last line
  --help

Ends with 1 when an event was lost, doubled or not brought to its end.`;

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
      tickets: { type: "string", default: "1000000" },
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
    ...parseOnly(values.only ?? [], positive("--tickets", values.tickets)),
    json: values.json,
    profile: values.profile,
  };
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new Error(`${name} ${text} is not a whole number above zero`);
}

function parseOnly(given: readonly string[], tickets: number): Pick<BenchOptions, "only" | "deskTickets"> {
  if (given.length === 1 && given[0] === deskQueriesName) return { only: new Set(), deskTickets: tickets };
  return { only: parseNames(given), deskTickets: undefined };
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
