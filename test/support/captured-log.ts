import { pino, type Logger } from "pino";

/** A logger whose lines are kept for a test to look at. */
export function captureLog(): {
  readonly logger: Logger;
  readonly lines: () => readonly Readonly<Record<string, unknown>>[];
} {
  const written: string[] = [];
  const logger = pino({ level: "debug" }, { write: (line: string) => void written.push(line) });
  return { logger, lines: () => written.map((line) => JSON.parse(line) as Record<string, unknown>) };
}
