import type { Command } from "commander";
import type { App } from "../app.ts";
import { backfill, parseBackfillCursor } from "../schedule/backfill.ts";
import type { BackfillProgress } from "../schedule/backfill.ts";
import { addCommonOptions, addJsonOption, groups, parseInstant } from "./argument.ts";
import type { CliContext, CommonOptions } from "./context.ts";
import { printJson, printLine, printNote, withApp } from "./context.ts";
import { untilInterrupted } from "./interrupt.ts";
import { createProgress } from "./progress.ts";
import type { ChosenSources } from "./source-choice.ts";
import { chooseSources } from "./source-choice.ts";
import { countOf } from "./table.ts";

interface BackfillOptions extends CommonOptions {
  readonly since: string;
  readonly until?: string;
  readonly source?: string;
}

/** What came of one source. */
interface BackfillResult {
  readonly source: string;
  readonly since: string;
  readonly until: string;
  readonly accepted: number;
  readonly duplicates: number;
  /** False when it was stopped: the same command goes on. */
  readonly complete: boolean;
}

/** `backfill`: brings in a stretch of a connection's history behind live traffic. */
export function addBackfillVerb(program: Command, context: CliContext): void {
  const command = program
    .command("backfill")
    .description("bring in a stretch of a connection's history; live events go first")
    .helpGroup(groups.act)
    .argument("<connection>", "the connection's name")
    .requiredOption("--since <time>", "changes from then on: a date (UTC) or an RFC 3339 time", parseInstant)
    .option("--until <time>", "changes before then; now unless told", parseInstant)
    .option("--source <name>", "one of its sources; all of them unless told")
    .addHelpText(
      "after",
      "\nCtrl-C stops it at the end of a page; the same command goes on from there, without --until too.",
    );
  addJsonOption(addCommonOptions(command)).action(async (name: string, options: BackfillOptions) => {
    const { since, until } = options;
    if (Date.parse(since) >= Date.parse(until ?? new Date().toISOString())) {
      command.error("error: --since has to be before --until, and before now", { exitCode: 2 });
    }
    const results = await untilInterrupted((signal) =>
      withApp(context, options, async (app) => {
        const chosen = chooseSources(app, name, options.source);
        return backfillSources(app, chosen, { context, options, signal });
      }),
    );
    if (options.json === true) printJson(context, { connection: name, sources: results });
    else for (const result of results) printLine(context, resultLine(name, result));
    if (results.some((result) => !result.complete)) context.fail();
  });
}

interface Run {
  readonly context: CliContext;
  readonly options: BackfillOptions;
  readonly signal: AbortSignal;
}

async function backfillSources(
  app: App,
  { connection, sources }: ChosenSources,
  run: Run,
): Promise<BackfillResult[]> {
  const { context, options, signal } = run;
  const results: BackfillResult[] = [];
  for (const source of sources) {
    const until =
      options.until ?? (await unfinishedUntil(app, connection.config.name, source, options.since));
    const span = { source, since: options.since, until: until ?? new Date().toISOString() };
    if (options.until === undefined && until !== undefined)
      printNote(context, `going on with the backfill of ${source} up to ${until} that was cut off`);
    const progress = createProgress(context.stderr, `${connection.config.name} ${source}`, Date.now);
    let last: BackfillProgress = { accepted: 0, duplicates: 0, fraction: 0 };
    const onProgress = (step: BackfillProgress): void => {
      last = step;
      progress.show({ fraction: step.fraction, text: countsText(step) });
    };
    try {
      await backfill(app.engine, app.intake, { connection, ...span, onProgress }, signal);
    } catch (error) {
      // What was under way when it was stopped fails for that reason alone.
      if (!signal.aborted) throw error;
    } finally {
      progress.end();
    }
    const { accepted, duplicates } = last;
    results.push({ ...span, accepted, duplicates, complete: !signal.aborted });
    if (signal.aborted) break;
  }
  await app.engine.queue.flush();
  return results;
}

/** Where the latest backfill since the same time was to end that never got there. */
async function unfinishedUntil(
  app: App,
  name: string,
  source: string,
  since: string,
): Promise<string | undefined> {
  const { cursors } = await app.reader.counts();
  return cursors
    .filter((cursor) => cursor.connection === name)
    .flatMap((cursor) => {
      const span = parseBackfillCursor(cursor.source);
      const isOurs = span?.source === source && span.since === since;
      return isOurs && Date.parse(cursor.time) < Date.parse(span.until) ? [span.until] : [];
    })
    .sort()
    .at(-1);
}

function countsText({ accepted, duplicates }: Pick<BackfillResult, "accepted" | "duplicates">): string {
  return `${countOf(accepted, "new event")}, ${duplicates.toLocaleString("en-US")} known already`;
}

function resultLine(name: string, result: BackfillResult): string {
  const { source, since, until, complete } = result;
  const end = complete ? "complete" : "stopped; run the same command to go on";
  return `${name} ${source}, ${since} to ${until}: ${countsText(result)}; ${end}`;
}
