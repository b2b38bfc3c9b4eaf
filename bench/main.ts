import { parseArgs } from "node:util";
import {
  measureEndToEnd,
  measureFloor,
  measureIdle,
  measureIngestAndDrain,
  measureMemory,
  type Reading,
} from "./measure.ts";
import { median, significant, type Spread, spreadOf } from "./statistics.ts";
import { type BackendName, type Bench, openBench } from "./system.ts";

const help = `npm run -s bench -- [options]

Measures deskbridge against a bare BullMQ worker, all on this machine, in one run: real Redis, real PostgreSQL
with every safety on, a desk stub and a load generator in processes of their own. The last line is JSON.

  --events N     events measured in each part of a round (default 8000)
  --rounds N     rounds; figures are medians of them (default 3)
  --only PARTS   comma separated: speed, postgres, idle, memory (default all)
  --json         nothing on stdout but the JSON line
  --help         this text`;

const parts = ["speed", "postgres", "idle", "memory"] as const;

interface Options {
  readonly events: number;
  readonly rounds: number;
  readonly only: ReadonlySet<string>;
}

type Rounds = Record<string, Reading[]>;

const say = (line: string): void => void process.stderr.write(`${line}\n`);

/** Each part of a round next to the other, so that what slows the machine down for a while slows all of them down. */
async function measureRounds(bench: Bench, options: Options): Promise<Rounds> {
  const size = { events: options.events, warmUp: Math.min(2000, options.events) };
  const rounds: Rounds = {};
  const keep = (name: string, reading: Reading): void => {
    (rounds[name] ??= []).push(reading);
    say(`  ${name}: ${significant(reading.perSecond)}/s, p50 ${significant(reading.p50Ms)} ms`);
  };
  const backends: BackendName[] = options.only.has("speed") ? ["redis"] : [];
  if (options.only.has("postgres")) backends.push("postgres");
  for (let round = 1; round <= options.rounds; round += 1) {
    say(`round ${round} of ${options.rounds}`);
    keep("floor", await measureFloor(bench, size, "product"));
    if (round === 1) keep("floorBareHttp", await measureFloor(bench, size, "node"));
    for (const backend of backends) {
      const { ingest, drain } = await measureIngestAndDrain(bench, size, backend);
      keep(`${backend}.ingest`, ingest);
      keep(`${backend}.drain`, drain);
      keep(`${backend}.endToEnd`, await measureEndToEnd(bench, size, backend));
    }
  }
  return rounds;
}

function summaryOf(readings: readonly Reading[] | undefined): object | undefined {
  if (readings === undefined) return undefined;
  const middle = (pick: (reading: Reading) => number): number => significant(median(readings.map(pick)));
  return {
    perSecond: middle((one) => one.perSecond),
    spread: roundedSpread(spreadOf(readings.map((one) => one.perSecond))),
    p50Ms: middle((one) => one.p50Ms),
    p99Ms: middle((one) => one.p99Ms),
    cpuMsPerEvent: {
      own: middle((one) => one.cpuMsPerEvent.own),
      redis: middle((one) => one.cpuMsPerEvent.redis),
      postgres: middle((one) => one.cpuMsPerEvent.postgres),
    },
  };
}

function roundedSpread({ min, max }: Spread): { readonly min: number; readonly max: number } {
  return { min: significant(min), max: significant(max) };
}

/** The median of the ratios of the rounds: both sides of each were measured within the same minute. */
function ratio(
  above: readonly Reading[] | undefined,
  below: readonly Reading[] | undefined,
): number | undefined {
  if (above === undefined || below === undefined) return undefined;
  return significant(
    median(above.map((reading, round) => reading.perSecond / (below[round]?.perSecond ?? Number.NaN))),
  );
}

async function run(options: Options): Promise<object> {
  const bench = await openBench();
  try {
    const wantsSpeed = options.only.has("speed") || options.only.has("postgres");
    const rounds = wantsSpeed ? await measureRounds(bench, options) : {};
    const ofRedis = (name: string) => rounds[`redis.${name}`];
    const ofPostgres = (name: string) => rounds[`postgres.${name}`];
    const acks = (ofRedis("endToEnd") ?? []).map((reading) => reading.ackP99Ms ?? Number.NaN);
    return {
      floor: summaryOf(rounds["floor"]),
      floorBareHttp: summaryOf(rounds["floorBareHttp"]),
      drain: summaryOf(ofRedis("drain")),
      endToEnd: summaryOf(ofRedis("endToEnd")),
      ingest: summaryOf(ofRedis("ingest")),
      ackP99Ms: acks.length === 0 ? undefined : significant(median(acks)),
      ratios: {
        drain: ratio(ofRedis("drain"), rounds["floor"]),
        endToEnd: ratio(ofRedis("endToEnd"), rounds["floor"]),
        postgresDrain: ratio(ofPostgres("drain"), ofRedis("drain")),
        postgresEndToEnd: ratio(ofPostgres("endToEnd"), ofRedis("endToEnd")),
      },
      postgresBackend: options.only.has("postgres")
        ? { drain: summaryOf(ofPostgres("drain")), endToEnd: summaryOf(ofPostgres("endToEnd")) }
        : undefined,
      idle: options.only.has("idle") ? await idleOf(bench) : undefined,
      memory: options.only.has("memory") ? await memoryOf(bench) : undefined,
    };
  } finally {
    await bench.close();
  }
}

async function idleOf(bench: Bench): Promise<object> {
  say("idle");
  const figures: Record<string, object> = {};
  for (const backend of ["redis", "postgres"] as const) {
    const { p50Ms, p99Ms, restMb } = await measureIdle(bench, backend, 110);
    figures[backend] = { p50Ms: significant(p50Ms), p99Ms: significant(p99Ms), restMb: Math.round(restMb) };
  }
  return figures;
}

async function memoryOf(bench: Bench): Promise<object> {
  const figures: Record<string, number> = {};
  for (const pending of [10_000, 200_000]) {
    say(`memory with ${pending} pending`);
    figures[`pending${pending}Mb`] = Math.round(await measureMemory(bench, "redis", pending));
  }
  return figures;
}

const { values } = parseArgs({
  options: {
    events: { type: "string", default: "8000" },
    rounds: { type: "string", default: "3" },
    only: { type: "string", default: parts.join(",") },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
const only = new Set(values.only.split(",").map((part) => part.trim()));
const events = Number(values.events);
const rounds = Number(values.rounds);
const unknown = [...only].filter((part) => !(parts as readonly string[]).includes(part));
if (values.help) {
  process.stdout.write(`${help}\n`);
} else if (unknown.length > 0 || !(events >= 100) || !(rounds >= 1)) {
  process.stderr.write(`wrong option; --events from 100, --rounds from 1, --only of ${parts.join(", ")}\n`);
  process.exitCode = 2;
} else {
  try {
    const result = await run({ events, rounds, only });
    if (!values.json) process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
    process.stdout.write(`${JSON.stringify(result)}\n`);
  } catch (error) {
    process.stderr.write(`the benchmark failed: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
