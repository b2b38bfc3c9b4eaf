import type { Operation } from "../model/operation.ts";
import { shortestSecret } from "../telemetry/redaction.ts";

/**
 * Mapped operations as they may be kept on record: where a secret of the configuration stands in one of their values, `***` stands instead.
 * Secrets of less than six characters are not looked for.
 */
export function keptOperations(operations: readonly Operation[], secrets: readonly string[]): unknown[] {
  const known = secrets.filter((secret) => secret.length >= shortestSecret);
  // The longest first: one secret may be part of another.
  known.sort((a, b) => b.length - a.length);
  return operations.map((operation) => withoutSecrets(operation, known));
}

function withoutSecrets(value: unknown, secrets: readonly string[]): unknown {
  if (typeof value === "string")
    return secrets.reduce((text, secret) => text.replaceAll(secret, "***"), value);
  if (Array.isArray(value)) return value.map((item) => withoutSecrets(item, secrets));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, withoutSecrets(inner, secrets)]),
  );
}
