import { eventData, isoTime, parseMoney, parseTimestamp } from "deskbridge/sdk";
import type { EventType } from "deskbridge/sdk";

/** One thing wrong with mapped data; `path` leads to it from the top of the data. */
export interface DataProblem {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

export type FittedData =
  | { readonly ok: true; readonly data: unknown }
  | { readonly ok: false; readonly problem: DataProblem };

/**
 * Mapped data as the schema of its event type wants it. What only differs in how it is written is rewritten: numbers for text (ids), digits for
 * numbers, times with an offset, amounts in decimals.
 */
export function fitData(type: EventType, mapped: unknown): FittedData {
  const schema = eventData[type];
  const rewritten = withMinorUnits(mapped, parseAmount);
  const first = schema.safeParse(rewritten);
  if (first.success) return { ok: true, data: first.data };
  let fitted = rewritten;
  for (const issue of first.error.issues)
    fitted = changeAt(fitted, issue.path, (value) => rewrite(value, issue));
  const second = schema.safeParse(fitted);
  if (second.success) return { ok: true, data: second.data };
  const [issue] = second.error.issues;
  return { ok: false, problem: { path: issue?.path ?? [], message: issue?.message ?? "not valid" } };
}

/** What is wrong with the data of a mapping whatever the request: keys that the type lacks, and keys that it needs. */
export function dataProblems(type: EventType, template: unknown): readonly DataProblem[] {
  const anyAmount = (): unknown => ({ minor: 0, currency: "XXX" });
  const issues = eventData[type].safeParse(withMinorUnits(template, anyAmount)).error?.issues ?? [];
  return issues.flatMap((issue): DataProblem[] => {
    if (issue.code === "unrecognized_keys") {
      return [
        {
          path: issue.path,
          message: `${type} has no ${issue.keys.map((key) => `"${key}"`).join(", ")} here`,
        },
      ];
    }
    if (issue.code === "invalid_type" && valueAt(template, issue.path) === undefined) {
      return [
        { path: issue.path.slice(0, -1), message: `"${String(issue.path.at(-1))}" is needed by ${type}` },
      ];
    }
    return [];
  });
}

interface Issue {
  readonly code?: string | undefined;
  readonly expected?: string;
  readonly format?: string;
}

function rewrite(value: unknown, issue: Issue): unknown {
  if (issue.code === "invalid_type" && issue.expected === "string")
    return typeof value === "number" ? String(value) : value;
  if (issue.code === "invalid_type" && (issue.expected === "number" || issue.expected === "int")) {
    return typeof value === "string" && /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : value;
  }
  if (issue.code !== "invalid_format" || issue.format !== "datetime") return value;
  const at = typeof value === "string" ? parseTimestamp(value) : undefined;
  return at === undefined ? value : isoTime(at);
}

/** Replaces every `{ amount, currency }` in a value. */
function withMinorUnits(value: unknown, convert: (amount: unknown, currency: unknown) => unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => withMinorUnits(item, convert));
  if (typeof value !== "object" || value === null) return value;
  const { amount, currency } = value as { amount?: unknown; currency?: unknown };
  const isAmount = Object.keys(value).length === 2 && amount !== undefined && currency !== undefined;
  if (isAmount && typeof amount !== "object") return convert(amount, currency);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withMinorUnits(item, convert)]));
}

function parseAmount(amount: unknown, currency: unknown): unknown {
  return parseMoney(amount, currency) ?? { amount, currency };
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let found = value;
  for (const step of path) found = (found as Readonly<Record<PropertyKey, unknown>> | undefined)?.[step];
  return found;
}

function changeAt(
  value: unknown,
  path: readonly PropertyKey[],
  change: (value: unknown) => unknown,
): unknown {
  const [step, ...rest] = path;
  if (step === undefined) return change(value);
  if (Array.isArray(value))
    return value.map((item: unknown, index) => (index === step ? changeAt(item, rest, change) : item));
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, step)) return value;
  const record = value as Readonly<Record<PropertyKey, unknown>>;
  return { ...record, [step]: changeAt(record[step], rest, change) };
}
