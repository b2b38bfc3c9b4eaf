import { setTimeout as delay } from "node:timers/promises";
import type { ExportSchedule } from "../config/config.ts";
import { toAppError } from "../errors.ts";
import type { Engine } from "../jobs/engine.ts";
import type { ExportTrigger } from "../ledger/exports.ts";
import { lastCronTime, nextCronTime } from "../queue/cron.ts";
import type { TickHandler } from "../queue/queue.ts";
import { createTimetableSet } from "../queue/timetable-set.ts";
import { runExport } from "./exporter.ts";

/** The timetables of exports, in this process's share. */
export interface ExportTimetables {
  /** Sets, replaces and removes timetables after the configuration was loaded again. */
  readonly refresh: () => Promise<void>;
  /** Stops the runs of this process; each ends at its last commit. */
  readonly close: (withinMs: number) => Promise<void>;
}

/** Sets the timetables of all exports, and runs once what was missed while nobody was there. Each run is in one process, however many there are. */
export async function startExportTimetables(engine: Engine): Promise<ExportTimetables> {
  const timetables = createTimetableSet(engine.queue, "export:");
  const refresh = async (): Promise<void> => {
    const wanted = scheduledExports(engine).map(({ name, schedule }) => {
      const handler: TickHandler = (signal, dueAt) =>
        runDue(engine, name, { trigger: "schedule", dueAt, signal });
      return [`export:${name}`, { timetable: schedule, handler }] as const;
    });
    await timetables.keep(new Map(wanted));
    await noteSchedules(engine);
  };
  await refresh();
  const stop = new AbortController();
  const caughtUp = catchUp(engine, stop.signal);
  return {
    refresh,
    close: async (withinMs) => {
      stop.abort();
      const limit = new AbortController();
      const late = delay(withinMs, undefined, { signal: limit.signal }).catch(() => undefined);
      await Promise.all([timetables.close(withinMs), Promise.race([caughtUp, late])]);
      limit.abort();
    },
  };
}

interface ScheduledExport {
  readonly name: string;
  readonly schedule: ExportSchedule;
}

function scheduledExports({ setup }: Engine): readonly ScheduledExport[] {
  return setup().config.exports.flatMap(({ name, schedule }) =>
    schedule === undefined ? [] : [{ name, schedule }],
  );
}

async function noteSchedules(engine: Engine): Promise<void> {
  try {
    for (const { name, schedule } of scheduledExports(engine)) {
      await engine.ledger.exports.noteSchedule(name, schedule.cron, schedule.timezone);
    }
  } catch (error) {
    const fault = toAppError(error);
    engine.logger.warn({ code: fault.code }, "timetables of exports could not be put on record");
  }
}

/** Since when an export is due: the first time of its timetable that no run has served; undefined while there is none. `served` in milliseconds since the epoch. */
export function dueSince(
  { cron, timezone }: ExportSchedule,
  since: number | undefined,
  served: number | undefined,
  now: number,
): number | undefined {
  if (since === undefined) return undefined;
  const first = nextCronTime(cron, timezone, Math.max(since, served ?? 0));
  return first === undefined || first > now ? undefined : first;
}

/** Runs what was due while nobody was there: once, however often it was. */
async function catchUp(engine: Engine, signal: AbortSignal): Promise<void> {
  const standings = await engine.ledger.exports.standings().catch(() => []);
  const now = engine.now();
  const missed = scheduledExports(engine).filter(({ name, schedule }) => {
    const standing = standings.find((one) => one.export === name);
    return dueSince(schedule, standing?.scheduledSince, standing?.servedUntil, now) !== undefined;
  });
  await Promise.all(
    missed.map(({ name, schedule: { cron, timezone } }) =>
      runDue(engine, name, {
        trigger: "catch-up",
        dueAt: lastCronTime(cron, timezone, now) ?? now,
        signal,
      }),
    ),
  );
}

async function runDue(
  engine: Engine,
  name: string,
  run: { readonly trigger: ExportTrigger; readonly dueAt: number; readonly signal: AbortSignal },
): Promise<void> {
  try {
    await runExport(engine, { name, mode: { kind: "incremental" }, ...run });
  } catch (error) {
    const fault = toAppError(error);
    if (fault.code === "export_busy") {
      engine.metrics.exportRun(name, "busy", 0);
      engine.logger.info({ export: name }, "export is being run elsewhere; this run is left out");
      return;
    }
    engine.metrics.exportRun(name, "failed", 0);
    engine.logger.error({ export: name, code: fault.code, err: fault }, "export could not begin");
  }
}
