import { AppError } from "../errors.ts";
import type { ErrorCode } from "../errors.ts";

/** What an error may say about a call: no query, no headers, no body. */
export interface CallFacts {
  readonly method: string;
  /** As given by the caller, without its query. */
  readonly path: string;
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** The parsed answer; undefined when it was not JSON. */
  readonly body: unknown;
}

const codeByStatus: Readonly<Record<number, ErrorCode>> = {
  401: "target_unauthorized",
  403: "target_unauthorized",
  404: "target_not_found",
  410: "target_not_found",
  408: "target_timeout",
  409: "target_conflict",
  412: "target_conflict",
  429: "target_rate_limited",
};

/** The error code of an HTTP status outside 2xx. A redirect counts as `target_protocol`: none is followed. */
export function codeOfStatus(status: number): ErrorCode {
  const known = codeByStatus[status];
  if (known !== undefined) return known;
  if (status >= 500) return "target_unavailable";
  return status >= 400 ? "target_rejected" : "target_protocol";
}

/**
 * The `AppError` of an answer outside 2xx. `secrets` are the strings that must not appear in it (credentials, what we sent); e-mail addresses and
 * phone numbers in the vendor's words are masked.
 */
export function statusFault(
  call: CallFacts,
  answer: Answer,
  now: number,
  secrets: Iterable<string>,
): AppError {
  const words = vendorWords(answer.body, secrets);
  const retryAfterMs = parseRetryAfter(answer.headers, now);
  const path = maskPersonal(call.path);
  const hint =
    answer.status < 400
      ? "a redirect, which is not followed; check the base URL"
      : (words ?? "no reason given");
  return new AppError(
    codeOfStatus(answer.status),
    `${call.method} ${path} answered ${answer.status}: ${hint}`,
    {
      details: {
        method: call.method,
        path,
        status: answer.status,
        ...(words === undefined ? {} : { words }),
      },
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    },
  );
}

/** An `AppError` for a call that brought no usable answer; `reason` is a code or a phrase of ours. */
export function callFault(code: ErrorCode, call: CallFacts, reason: string, status?: number): AppError {
  const path = maskPersonal(call.path);
  return new AppError(code, `${call.method} ${path}: ${reason}`, {
    details: { method: call.method, path, reason, ...(status === undefined ? {} : { status }) },
  });
}

const longestWaitMs = 24 * 3600 * 1000;

/**
 * `Retry-After` in milliseconds, from seconds or an HTTP date; undefined when absent or unreadable, never negative, at most a day. A date is
 * taken against the answer's own `Date` where it has one, because the vendor's clock is not ours.
 */
export function parseRetryAfter(headers: Readonly<Record<string, string>>, now: number): number | undefined {
  const value = headers["retry-after"]?.trim();
  if (value === undefined || value === "") return undefined;
  if (/^\d+(\.\d+)?$/.test(value)) return Math.min(Math.ceil(Number(value) * 1000), longestWaitMs);
  const at = Date.parse(value);
  if (Number.isNaN(at) || !/[a-z]/i.test(value)) return undefined;
  const theirNow = Date.parse(headers["date"] ?? "");
  return Math.min(Math.max(at - (Number.isNaN(theirNow) ? now : theirNow), 0), longestWaitMs);
}

const wordFields = [
  "error",
  "errors",
  "error_description",
  "message",
  "msg",
  "title",
  "detail",
  "details",
  "description",
  "reason",
  "code",
  "type",
  "field",
];
const longestWords = 300;

/** The vendor's reason, taken only from the usual error fields of a JSON answer, masked and cut to 300 characters. */
function vendorWords(body: unknown, secrets: Iterable<string>): string | undefined {
  const found: string[] = [];
  collectWords(body, 0, found);
  if (found.length === 0) return undefined;
  let text = found.join("; ");
  for (const secret of longestFirst(secrets)) text = text.replaceAll(secret, "[value]");
  text = maskPersonal(text);
  return text.length > longestWords ? `${text.slice(0, longestWords)}…` : text;
}

function collectWords(value: unknown, depth: number, found: string[]): void {
  if (depth > 4 || found.length >= 12) return;
  if (typeof value === "string") {
    // At the top a bare string is not an error field: it may be anything.
    if (depth > 0 && value !== "") found.push(value);
  } else if (typeof value === "number") {
    if (depth > 0) found.push(String(value));
  } else if (Array.isArray(value)) {
    for (const item of value) collectWords(item, depth + 1, found);
  } else if (typeof value === "object" && value !== null) {
    collectFields(value as Readonly<Record<string, unknown>>, depth, found);
  }
}

function collectFields(record: Readonly<Record<string, unknown>>, depth: number, found: string[]): void {
  for (const name of wordFields) collectWords(record[name], depth + 1, found);
  if (depth === 0) return;
  // What a vendor puts beside its words inside an error; at the top it may be anything.
  collectWords(record["data"], depth + 1, found);
  // Field errors come as { email: ["is invalid"] }: the names are the vendor's, lists of strings are its words.
  for (const [name, value] of Object.entries(record)) {
    if (wordFields.includes(name) || !Array.isArray(value)) continue;
    const words = value.filter((item) => typeof item === "string");
    if (words.length > 0 && found.length < 12) found.push(`${name} ${words.join(", ")}`);
    // Or as { email: [{ description: "is invalid" }] }.
    for (const item of value) if (typeof item !== "string") collectWords(item, depth + 1, found);
  }
}

/** Shorter strings occur in any text by chance; masking them would leave nothing to read. */
const shortestSecret = 4;

function longestFirst(secrets: Iterable<string>): readonly string[] {
  return [...secrets].filter((secret) => secret.length >= shortestSecret).sort((a, b) => b.length - a.length);
}

/** Every string inside a value, such as what was sent in a request body. */
export function stringsIn(value: unknown, depth = 0): readonly string[] {
  if (typeof value === "string") return [value];
  if (value instanceof URLSearchParams) return [...value.values()];
  if (typeof value !== "object" || value === null || depth > 8) return [];
  return Object.values(value).flatMap((item) => stringsIn(item, depth + 1));
}

const email = /[^\s/"'<>:;,()]+(?:@|%40)[^\s/"'<>:;,()]+/gi;
const phone = /\+?\(?\d(?:[\s().-]*\d){8,}/g;

// A path keeps its numbers: they are the ids by which the call can be found again.
function maskPersonal(text: string): string {
  const masked = text.replace(email, "[email]");
  return masked.startsWith("/") ? masked : masked.replace(phone, "[number]");
}
