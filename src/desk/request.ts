import { createHash } from "node:crypto";
import type { z } from "zod";
import { AppError } from "../errors.ts";
import type { ProblemField } from "../http/problem.ts";

const mostFields = 20;

/** A part of a request by its schema; throws `bad_request` that names every field at fault and quotes no value. */
export function parsePart<T extends z.ZodType>(schema: T, value: unknown, part: string): z.output<T> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const fields = parsed.error.issues.slice(0, mostFields).flatMap(fieldsOf);
  const said = fields.map(({ path, message }) => (path === "" ? message : `${path}: ${message}`)).join("; ");
  throw new AppError("bad_request", `the ${part} is not valid: ${said}`, { details: { fields } });
}

function fieldsOf(issue: z.core.$ZodIssue): readonly ProblemField[] {
  const path = issue.path.join(".");
  if (issue.code !== "unrecognized_keys") return [{ path, message: issue.message }];
  return issue.keys.map((key) => ({
    path: [...issue.path, key.slice(0, 100)].join("."),
    message: "is not known here",
  }));
}

/** The value of `Idempotency-Key`; throws `bad_request` when it is not 1 to 255 printable ASCII characters. */
export function parseIdempotencyKey(header: string | readonly string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  if (typeof header === "string" && /^[\x20-\x7e]{1,255}$/.test(header)) return header;
  throw new AppError("bad_request", "Idempotency-Key must be 1 to 255 printable ASCII characters");
}

/** What makes two requests the same for their idempotency key: the method, the address and the parsed body. */
export function hashRequest(method: string, url: string, body: unknown): Buffer {
  return createHash("sha256")
    .update(`${method} ${url}\n${body === undefined ? "" : JSON.stringify(body)}`)
    .digest();
}

/** The versions that `If-Match` allows; undefined when any is good. What is not a version of ours matches nothing. */
export function parseIfMatch(header: string | undefined): readonly number[] | undefined {
  if (header === undefined || header.trim() === "*") return undefined;
  return [...header.matchAll(/"(\d{1,9})"/g)].map((match) => Number(match[1]));
}

export function formatEtag(version: number): string {
  return `"${version}"`;
}
