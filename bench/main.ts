import { CountError } from "./count-check.ts";
import { describeMachine } from "./machine.ts";
import { measureDesk } from "./measure-desk.ts";
import type { BenchOptions, DeskMeasure } from "./options.ts";
import { help, parseOptions } from "./options.ts";
import { reportOf } from "./report.ts";
import { measureAll } from "./rounds.ts";
import { openStage } from "./stage.ts";
import { tableOf } from "./table.ts";

const startedAt = performance.now();

function note(line: string): void {
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  process.stderr.write(`${String(seconds).padStart(4)} s  ${line}\n`);
}

async function run(options: BenchOptions): Promise<void> {
  const machine = describeMachine();
  if (machine.loadBefore > 0.5) {
    note(
      `the machine is not quiet (load ${machine.loadBefore}): the figures are those of what is left of it`,
    );
  }
  note("starting Redis and PostgreSQL");
  const stage = await openStage(options);
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => void stage.close().finally(() => process.exit(1)));
  }
  try {
    const report = reportOf(await measureAll(stage, note));
    process.stdout.write(`${tableOf(report)}\n`);
    if (!options.json) return;
    const { events, warmUp, rounds, concurrency, connections } = options;
    const settings = { events, warmUp, rounds, concurrency, connections };
    const seconds = Math.round((performance.now() - startedAt) / 1000);
    process.stdout.write(`${JSON.stringify({ ...report, machine, settings, seconds })}\n`);
  } finally {
    await stage.close();
  }
}

async function runDesk(measure: DeskMeasure, json: boolean): Promise<void> {
  const machine = describeMachine();
  const { table, failures, ...report } = await measureDesk(measure, note);
  process.stdout.write(`${table}\n`);
  if (json || measure.name.startsWith("export-"))
    process.stdout.write(`${JSON.stringify({ ...report, machine, settings: measure })}\n`);
  if (failures.length > 0) throw new Error(failures.join("\n"));
}

try {
  const options = parseOptions(process.argv.slice(2));
  if (options === "help") process.stdout.write(`${help}\n`);
  else if (options.desk === undefined) await run(options);
  else await runDesk(options.desk, options.json);
} catch (error) {
  const isWrongCount = error instanceof CountError;
  process.stderr.write(isWrongCount ? `WRONG COUNT: ${error.message}\n` : `${String(error)}\n`);
  process.exitCode = 1;
}
