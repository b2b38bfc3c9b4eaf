import { writeSync } from "node:fs";
import { AppError } from "../errors.ts";

/**
 * The moments on the way of an event at which a test can end the process, in the order of that way. Each line says what is true at its
 * moment, and where it is called. The matrix in `crash-matrix/` kills at every one of them, so a new point here is a new row there.
 */
export const eventPointNames = [
  /** A hook was verified and parsed; nothing is stored and nothing was answered. (ingress) */
  "ingress.received",
  /** The events of a hook are durable; nothing was answered, nobody was rung for. (jobs/intake) */
  "ingress.appended",
  /** The sender has its 2xx; the rings are still being gathered in this process. (ingress) */
  "ingress.acknowledged",
  /** A page was read from a source; neither its events nor the cursor are stored. (schedule/poller) */
  "poll.page",
  /** A page and its cursor are durable; nobody was rung for. (jobs/intake) */
  "poll.committed",
  /** Rings were gathered and are about to be handed to the queue; it does not know of them. (queue) */
  "ring.gathered",
  /** The queue gave this process a ring; no lane of it is leased. (queue) */
  "ring.taken",
  /** Lanes are leased, with their mail; no delivery was begun and the ring is not over. (jobs/worker) */
  "work.claimed",
  /** A delivery's operations are mapped and valid; nothing was sent. (jobs/attempt) */
  "work.mapped",
  /** For a target without keys, that the effect is going to be sent is durable; the call is not begun. With keys nothing is written. (effects) */
  "effect.sent",
  /** The target has answered the call; nothing of it is recorded here. (effects) */
  "effect.answered",
  /** For a target without keys, the effect is recorded as done with its remote id; its delivery is still pending. (effects) */
  "effect.recorded",
  /** An effect whose outcome was unknown has been looked for on the target; what was found is not recorded. Only after a crash. (effects) */
  "effect.looked_up",
  /** All operations of a lane's mail are over; the result of none of its deliveries is recorded. (jobs/lane) */
  "work.attempted",
  /** The results are recorded; the lane has not been looked at further and nothing after it was rung for. (jobs/lane) */
  "work.settled",
] as const;

/** The moments on the way of a chunk of rows to a warehouse, in their order. */
export const exportPointNames = [
  /** A page was read from a dataset and written to the sink's staging; nothing of its chunk is committed. (export) */
  "export.read",
  /** All of a chunk is staged at the sink, which is about to publish it. (export) */
  "export.staged",
  /** The sink has published a chunk with its watermark; the ledger does not know. (export) */
  "export.published",
  /** The ledger has the watermark and the counts of a chunk, too; the run is not over. (export) */
  "export.recorded",
] as const;

/** All of them: first those of events, then those of exports. */
export const crashPointNames = [...eventPointNames, ...exportPointNames] as const;

export type CrashPointName = (typeof crashPointNames)[number];

/**
 * Called at its moment, and not awaited: where it is armed for the passage, the process is over (or stands still) before the call returns.
 * Unarmed it does nothing at all.
 */
export type CrashPoint = (name: CrashPointName) => void;

/** The crash point of every process that is not under test. */
export const noCrashPoint: CrashPoint = () => undefined;

/**
 * Makes the crash point of a process. `armed` is `name`, `name@3` for its third passage, or `name@3:stop` to have the process stopped
 * (SIGSTOP) rather than killed (SIGKILL). One line on stderr says that it happened. Throws `environment_invalid` for anything else.
 */
export function createCrashPoint(armed: string | undefined): CrashPoint {
  if (armed === undefined) return noCrashPoint;
  const { name, passage, signal } = parseArmed(armed);
  let passed = 0;
  return (at) => {
    if (at !== name) return;
    passed += 1;
    if (passed !== passage) return;
    // Not by way of the logger: nothing that waits in a buffer gets out any more.
    writeSync(process.stderr.fd, `crash point ${name}, passage ${passage}: ${signal}\n`);
    process.kill(process.pid, signal);
  };
}

interface Armed {
  readonly name: CrashPointName;
  readonly passage: number;
  readonly signal: "SIGKILL" | "SIGSTOP";
}

function parseArmed(armed: string): Armed {
  const [, wanted, passage = "1", ending] = /^([a-z._]+)(?:@([1-9]\d*))?(:stop)?$/.exec(armed) ?? [];
  const name = crashPointNames.find((known) => known === wanted);
  if (name === undefined) {
    const expected = `expected one of ${crashPointNames.join(", ")}, with \`@3\` for its third passage and \`:stop\` to stop it`;
    throw new AppError(
      "environment_invalid",
      `DESKBRIDGE_CRASH_AT: \`${armed}\` is no crash point; ${expected}`,
    );
  }
  return { name, passage: Number(passage), signal: ending === undefined ? "SIGKILL" : "SIGSTOP" };
}
