import { pino } from "pino";
import type { DestinationStream, Logger } from "pino";
import { isColorSupported, prettyFactory } from "pino-pretty";
import { AppError } from "../errors.ts";
import { createRedactor } from "./redaction.ts";
import type { Redactor } from "./redaction.ts";

export type { Logger } from "pino";

export interface LoggerOptions {
  readonly level: "debug" | "info" | "warn" | "error" | "silent";
  /** Values that never appear in a line, whatever it is made of. */
  readonly secrets?: readonly string[];
  /** A redactor shared with others, for secrets that come later; it is used besides `secrets`. */
  readonly redactor?: Redactor;
  /** A file descriptor (1, 2) or a stream; standard output unless told. */
  readonly destination?: 1 | 2 | DestinationStream;
  /** Lines for people rather than JSON. */
  readonly pretty?: boolean;
}

/**
 * A logger that writes one line of JSON at a time, redacted whole: whatever way a secret or a person's data got into the line, it is taken
 * out of the finished text. Log ids, never bodies. Writes are synchronous, so the last line before a crash is there.
 */
export function createLogger(options: LoggerOptions): Logger {
  const redactor = options.redactor ?? createRedactor();
  redactor.add(options.secrets ?? []);
  return pino(
    {
      level: options.level,
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: errorLine, error: errorLine },
      hooks: { streamWrite: redactor.line },
    },
    openStream(options),
  );
}

function openStream({ destination = 1, pretty: forPeople = false }: LoggerOptions): DestinationStream {
  const stream =
    typeof destination === "number" ? pino.destination({ fd: destination, sync: true }) : destination;
  if (!forPeople) return stream;
  const toText = prettyFactory({
    colorize: isColorSupported,
    ignore: "pid",
    translateTime: "SYS:HH:MM:ss.l",
  });
  return { write: (line) => stream.write(toText(line)) };
}

const deepestCause = 5;

interface ErrorLine {
  readonly type: string;
  readonly message: string;
  readonly code?: unknown;
  readonly details?: unknown;
  readonly stack?: string;
  readonly cause?: ErrorLine;
}

function errorLine(thrown: unknown): ErrorLine {
  return describeError(thrown, 0);
}

// Chosen fields only: errors of HTTP clients and database drivers carry requests, headers and rows.
function describeError(thrown: unknown, depth: number): ErrorLine {
  if (!(thrown instanceof Error)) return { type: typeof thrown, message: String(thrown) };
  const { message, stack } = thrown;
  const code = "code" in thrown ? thrown.code : undefined;
  const hasCause = thrown.cause !== undefined && depth < deepestCause;
  return {
    type: thrown.name,
    message,
    ...(typeof code === "string" || typeof code === "number" ? { code } : {}),
    ...(thrown instanceof AppError && Object.keys(thrown.details).length > 0
      ? { details: thrown.details }
      : {}),
    ...(stack === undefined || isExpected(thrown) ? {} : { stack }),
    ...(hasCause ? { cause: describeError(thrown.cause, depth + 1) } : {}),
  };
}

// A classified error says all there is to know by its code; only a fault of ours needs the stack.
function isExpected(error: Error): boolean {
  return error instanceof AppError && error.code !== "internal";
}
