import type { OutputStream } from "./context.ts";
import { durationText } from "./time-text.ts";

/** How far a long read has come. */
export interface Step {
  /** Between 0 and 1; undefined where nobody knows how much there is. */
  readonly fraction: number | undefined;
  readonly text: string;
}

/** Shows steps as they come. `end` leaves the last one standing and gives the line back. */
export interface Progress {
  readonly show: (step: Step) => void;
  readonly end: () => void;
}

const unknownColumns = 80;
const barWidth = 30;
const redrawEveryMs = 100;
const lineEveryMs = 5000;

/** A bar that is drawn over itself on a terminal; elsewhere, and where no bars are wanted, a line every few seconds. `now` is in milliseconds. */
export function createProgress(
  stream: OutputStream,
  label: string,
  now: () => number,
  bars = stream.isTTY === true,
): Progress {
  const startedAt = now();
  return bars ? createBar(stream, label, startedAt, now) : createLines(stream, label, startedAt, now);
}

function createBar(stream: OutputStream, label: string, startedAt: number, now: () => number): Progress {
  let last: Step | undefined;
  let drawnAt = -Infinity;
  const draw = (): void => {
    if (last === undefined) return;
    const line = `${label} ${barOf(last)}${last.text}  ${durationText(now() - startedAt)}`;
    // A line that wraps could not be drawn over. A terminal that does not know its width says 0.
    stream.write(`\r\u001b[K${line.slice(0, (stream.columns || unknownColumns) - 1)}`);
    drawnAt = now();
  };
  return {
    show: (step) => {
      last = step;
      if (now() - drawnAt >= redrawEveryMs) draw();
    },
    end: () => {
      draw();
      if (last !== undefined) stream.write("\n");
    },
  };
}

function createLines(stream: OutputStream, label: string, startedAt: number, now: () => number): Progress {
  let pending: Step | undefined;
  let writtenAt = startedAt;
  const write = (): void => {
    if (pending === undefined) return;
    const share = pending.fraction === undefined ? "" : `${percent(pending.fraction)}, `;
    stream.write(`${label}: ${share}${pending.text}, ${durationText(now() - startedAt)}\n`);
    pending = undefined;
    writtenAt = now();
  };
  return {
    show: (step) => {
      pending = step;
      if (now() - writtenAt >= lineEveryMs) write();
    },
    end: write,
  };
}

function barOf({ fraction }: Step): string {
  if (fraction === undefined) return " ";
  const full = Math.round(fraction * barWidth);
  return `${"█".repeat(full)}${"░".repeat(barWidth - full)} ${percent(fraction)}  `;
}

function percent(fraction: number): string {
  return `${Math.floor(fraction * 100)} %`;
}
