import type { CliSurroundings } from "../src/cli/context.ts";
import { printLine } from "../src/cli/context.ts";
import { createProgress } from "../src/cli/progress.ts";
import type { Day } from "./day/day.ts";
import { createDay } from "./day/day.ts";
import { createSupportApi } from "./desk/support-api.ts";
import type { Evening } from "./evening.ts";
import { endDay } from "./evening.ts";
import { playOut } from "./outcome.ts";
import type { Tally } from "./report/tally.ts";
import { tallyDifferences } from "./report/tally.ts";
import { formatReasons, reasonQuery } from "./report/warehouse-query.ts";
import { formatTickets } from "./report/ticket-table.ts";
import type { Stage } from "./stage.ts";
import { openStage, shopConnection } from "./stage.ts";

export interface DemoOptions {
  /** Which day is played; the first from 1 on that the database has not seen when absent. */
  readonly seed: number | undefined;
  readonly once: boolean;
  readonly json: boolean;
  readonly dataDir: string | undefined;
  readonly port: number;
  /** Ends the demo in order when it is aborted. */
  readonly signal: AbortSignal;
}

const dayMs = 86_400_000;

/** Runs the demo from start to end. Resolves with whether all came out as the played day implies; everything is closed and removed then. */
export async function runDemo(options: DemoOptions, surroundings: CliSurroundings): Promise<boolean> {
  const startedAt = performance.now();
  surroundings.stderr.write("starting PostgreSQL, the Support API, ingress and workers\n");
  const stage = await openStage({ ...options, variables: surroundings.variables });
  try {
    options.signal.throwIfAborted();
    const day = await chooseDay(stage, options.seed);
    stage.shop.setOrders(day.orders);
    const outcome = await playOut(
      stage,
      day,
      createProgress(surroundings.stderr, "the day", Date.now),
      options.signal,
    );
    const evening = await endDay(stage, outcome.tickets, options.signal);
    const seconds = Math.round((performance.now() - startedAt) / 100) / 10;
    const { replied, exported } = evening;
    const tally = { ...outcome.tally, replied, exported, seconds };
    const faults = [...tallyDifferences(day.expected, tally), ...outcome.faults, ...evening.faults];
    printLine(surroundings, `${formatTickets(outcome.tickets)}\n`);
    reportEvening(surroundings, stage, evening);
    report(surroundings, tally, faults);
    if (stage.kept !== undefined) printLine(surroundings, goOn(stage.kept, options.dataDir));
    if (options.json) printLine(surroundings, JSON.stringify(tally));
    if (!options.once) {
      announce(surroundings, stage);
      await untilAborted(options.signal);
    }
    return faults.length === 0;
  } finally {
    await stage.close();
  }
}

/** Yesterday, so that all of it is over by now. */
async function chooseDay(stage: Stage, seed: number | undefined): Promise<Day> {
  const dayStart = (Math.floor(Date.now() / dayMs) - 1) * dayMs;
  const api = createSupportApi(stage.url, stage.apiKey);
  for (let number = seed ?? 1; ; number += 1) {
    const day = createDay(number, dayStart);
    const [order] = day.expected.orders;
    if (order === undefined || (await api.order(shopConnection, order.id)) === undefined) return day;
    if (number === seed) {
      throw new Error(
        `this database has seen the day of seed ${seed}; give another --seed or another --data`,
      );
    }
  }
}

function reportEvening(surroundings: CliSurroundings, { lake }: Stage, { exported, reasons }: Evening): void {
  const query = reasonQuery(lake).replace(/^/gm, "  ");
  printLine(surroundings, `${exported} rows went to Parquet. What DuckDB finds there:\n\n${query}\n`);
  printLine(surroundings, `${formatReasons(reasons)}\n`);
}

function report(surroundings: CliSurroundings, tally: Tally, faults: readonly string[]): void {
  printLine(
    surroundings,
    `${tally.sent} webhooks sent: ${tally.accepted} taken, ${tally.duplicates} known already, ${tally.rejected} refused.`,
  );
  printLine(
    surroundings,
    `${tally.ticketsOpened} tickets opened, ${tally.messagesAppended} messages appended, ${tally.replied} tickets answered, ${tally.dead} dead, ${tally.pending} pending, in ${tally.seconds} s.`,
  );
  if (faults.length === 0) return printLine(surroundings, "All of it is what the day implies.");
  surroundings.stderr.write(
    `This is not what the day implies:\n${faults.map((fault) => `  ${fault}\n`).join("")}`,
  );
}

function goOn(kept: string, named: string | undefined): string {
  const data = named === undefined ? "" : ` --data ${named}`;
  return [
    "",
    `All of it stays in ${kept}. To go on with it:`,
    `  npm run -s deskbridge -- export run nightly${data}   out to a warehouse of your own, config/deskbridge.yaml says where`,
    `  npm start${data === "" ? "" : ` --${data}`}`,
  ].join("\n");
}

function announce(surroundings: CliSurroundings, { url, apiKeyText, logFile }: Stage): void {
  const lines = [
    "",
    `Support API  curl -H "Authorization: Bearer ${apiKeyText}" ${url}/v1/tickets`,
    `Webhooks     POST ${url}/hooks/${shopConnection}`,
    `Health       ${url}/readyz`,
    `Figures      ${url}/metrics`,
    `Log          ${logFile}`,
    "Ctrl-C ends it.",
  ];
  for (const line of lines) printLine(surroundings, line);
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
