import { runMatrix } from "./matrix.ts";
import type { MatrixOptions } from "./options.ts";
import { help, parseOptions } from "./options.ts";
import type { Outcome } from "./report.ts";
import { publish } from "./page.ts";
import { hasFailed, reportOf, rowsOf, tableOf } from "./report.ts";
import { openStage } from "./stage.ts";

const startedAt = performance.now();
const isTerminal = process.stderr.isTTY;

function secondsSoFar(): number {
  return (performance.now() - startedAt) / 1000;
}

/** One line that is written over on a terminal; elsewhere a line now and then. */
function tellProgress({ name, target, queue }: Outcome, done: number, all: number): void {
  const line = `${String(Math.round(secondsSoFar())).padStart(4)} s  ${done} of ${all} runs  ${name} ${target} ${queue}`;
  if (isTerminal) process.stderr.write(`\r\u001B[K${line}`);
  else if (done % 20 === 0 || done === all) process.stderr.write(`${line}\n`);
}

function tellFailure({ name, target, queue, seed, findings, ...figures }: Outcome): void {
  const { lost, duplicated, outOfOrder, missed, unsettled } = figures;
  const what = JSON.stringify({ lost, duplicated, outOfOrder, missed, unsettled });
  process.stderr.write(
    `\nFAILED ${name} ${target} ${queue}, seed ${seed}: ${what}\n${findings.join("\n")}\n`,
  );
}

async function run(options: MatrixOptions): Promise<void> {
  process.stderr.write(`seed ${options.seed}; starting Redis and PostgreSQL\n`);
  const stage = await openStage();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => void stage.close().finally(() => process.exit(1)));
  }
  try {
    const outcomes = await runMatrix(stage, options, (outcome, done, all) => {
      if (hasFailed(outcome)) tellFailure(outcome);
      tellProgress(outcome, done, all);
    });
    const report = reportOf(outcomes, options.seed, secondsSoFar());
    process.stderr.write("\n");
    process.stdout.write(`${tableOf(rowsOf(report))}\n`);
    if (options.json) process.stdout.write(`${JSON.stringify(report)}\n`);
    if (!hasFailed(report)) {
      if (options.publish) publish(report);
      return;
    }
    process.stderr.write(`something went wrong; the same again: --seed ${options.seed}\n`);
    process.exitCode = 1;
  } finally {
    await stage.close();
  }
}

try {
  const options = parseOptions(process.argv.slice(2));
  if (options === "help") process.stdout.write(`${help}\n`);
  else await run(options);
} catch (error) {
  process.stderr.write(`${String(error)}\n`);
  process.exitCode = 1;
}
