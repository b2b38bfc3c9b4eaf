import { z } from "zod";
import { didYouMean } from "../sdk/nearest-name.ts";
import { entryOf, follow, join, kindInWords } from "./located.ts";
import type { ConfigProblem, Located } from "./located.ts";
import { keysAt, schemasAt } from "./schema-walk.ts";

type Issue = z.core.$ZodIssue;

/**
 * A schema's issues as problems of the configuration: each at the place of the value, a misspelt key or choice with the nearest name. `root` is
 * the value that the schema was applied to; `otherKeys` are keys that may stand beside its own.
 */
export function problemsOf(
  issues: readonly Issue[],
  root: Located,
  schema: z.ZodType,
  otherKeys: readonly string[] = [],
): ConfigProblem[] {
  return issues.flatMap((issue) => problemsOfIssue(issue, root, schema, otherKeys));
}

function problemsOfIssue(
  issue: Issue,
  root: Located,
  schema: z.ZodType,
  otherKeys: readonly string[],
): ConfigProblem[] {
  if (issue.code === "unrecognized_keys") {
    const known = keysAt(schema, issue.path);
    return unknownKeys(issue, root, issue.path.length === 0 ? [...known, ...otherKeys] : known);
  }
  if (issue.code === "invalid_union") {
    const branch = intendedBranch(issue.errors);
    if (branch) {
      const inner = branch.map((one) => ({ ...one, path: [...issue.path, ...one.path] }));
      return problemsOf(inner, root, schema);
    }
  }
  const expected = expectation(issue, schema);
  const { node, rest } = follow(root, issue.path);
  if (isUnresolved(node, rest.length === 0 && issue.code === "custom")) return [];
  const path = issue.path.reduce<string>(join, root.path);
  if (rest.length > 0) {
    const message = `\`${String(rest[0])}\` is missing; expected ${expected}`;
    return [{ position: node.position, path, message }];
  }
  const offset = issue.code === "custom" ? (issue.params?.offset as unknown) : undefined;
  const position = typeof offset === "number" && node.kind === "text" ? node.at(offset) : node.position;
  return [{ position, path, message: messageOf(issue, node, expected) }];
}

// A schema's own check of a whole may fail on a part that has no value.
function isUnresolved(node: Located, deep: boolean): boolean {
  if (node.kind === "text") return node.unresolved === true;
  if (!deep || node.kind === "scalar") return false;
  const parts = node.kind === "list" ? node.items : node.entries.map(({ value }) => value);
  return parts.some((part) => isUnresolved(part, deep));
}

function unknownKeys(
  issue: Extract<Issue, { code: "unrecognized_keys" }>,
  root: Located,
  known: readonly string[],
): ConfigProblem[] {
  const { node } = follow(root, issue.path);
  const path = issue.path.reduce<string>(join, root.path);
  return issue.keys.map((key) => ({
    position: entryOf(node, key)?.keyPosition ?? node.position,
    path: join(path, key),
    message: `\`${key}\` is not a key here; expected ${orList(known)}.${didYouMean(key, known)}`,
  }));
}

// Of a union's members, the one whose issues lie deeper than "this is a string, not an object" is what the author meant.
function intendedBranch(branches: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  const fitting = branches.filter((branch) => !branch.some(isWrongType));
  return fitting.length === 1 ? fitting[0] : undefined;
}

function isWrongType(issue: Issue): boolean {
  return issue.path.length === 0 && (issue.code === "invalid_type" || issue.code === "invalid_value");
}

function messageOf(issue: Issue, node: Located, expected: string): string {
  const found = `this is ${kindInWords(node)}`;
  if (issue.code === "invalid_type") {
    return `${found}; expected ${expected}${quotesHint(issue.expected, node)}`;
  }
  if (issue.code === "invalid_value" || issue.code === "invalid_union") {
    const choices = choicesOf(issue);
    return choices && node.kind === "text"
      ? wrongChoice(node.shown, choices)
      : `${found}; expected ${expected}`;
  }
  if (issue.code === "invalid_format") {
    // A schema's own words say more than its pattern; zod's begin like this.
    const says = issue.message.startsWith("Invalid ") ? `expected ${expected}` : issue.message;
    return `this is not of the right form; ${says}`;
  }
  if (issue.code === "too_small")
    return `${extent(issue.origin, "few", "short", "small")}; expected ${expected}`;
  if (issue.code === "too_big")
    return `${extent(issue.origin, "many", "long", "large")}; expected ${expected}`;
  return issue.message;
}

function choicesOf(issue: Extract<Issue, { code: "invalid_value" | "invalid_union" }>): string[] | undefined {
  if (issue.code === "invalid_value") return issue.values.map(String);
  const { options } = issue as { options?: readonly unknown[] };
  if (options) return options.map(String);
  // Of names or a mapping, a text was meant for one of the names.
  const names = issue.errors.flat().find((one) => one.path.length === 0 && one.code === "invalid_value");
  return names?.code === "invalid_value" ? names.values.map(String) : undefined;
}

function wrongChoice(found: string, choices: readonly string[]): string {
  const nearest = didYouMean(found, choices);
  // A long list would bury the answer.
  if (nearest !== "" && choices.length > 12) return `\`${found}\` is not known here.${nearest}`;
  return `\`${found}\` is not known here; expected ${orList(choices)}.${nearest}`;
}

function quotesHint(expected: string, node: Located): string {
  return expected === "string" && node.kind === "scalar" && node.value !== null ? " (put it in quotes)" : "";
}

const typesInWords: Readonly<Record<string, string>> = {
  string: "a string",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  object: "a mapping",
  record: "a mapping",
  array: "a list",
};

const formatsInWords: Readonly<Record<string, string>> = {
  email: "an email address",
  url: "a URL",
  datetime: "an RFC 3339 time in UTC, such as 2026-11-22T10:00:00Z",
};

function expectation(issue: Issue, schema: z.ZodType): string {
  if (issue.code === "invalid_type") {
    return ownWords(schema, issue.path) ?? typesInWords[issue.expected] ?? issue.expected;
  }
  if (issue.code === "invalid_value") return orList(issue.values.map(String));
  if (issue.code === "too_small") return `at least ${counted(issue.minimum, issue.origin)}`;
  if (issue.code === "too_big") return `at most ${counted(issue.maximum, issue.origin)}`;
  if (issue.code === "invalid_format") {
    const { format, pattern } = issue as { format: string; pattern?: string };
    return formatsInWords[format] ?? (pattern === undefined ? format : `text that matches ${pattern}`);
  }
  if (issue.code === "invalid_union") {
    const kinds = issue.errors.flatMap((branch) =>
      branch.filter(isWrongType).map((one) => expectation(one, schema)),
    );
    return kinds.length > 0 ? [...new Set(kinds)].join(" or ") : "another form";
  }
  return issue.message;
}

// A schema may say in its own words what it expects: `.meta({ expected: "a duration such as 30s" })`.
function ownWords(schema: z.ZodType, path: readonly PropertyKey[]): string | undefined {
  const [one, ...others] = schemasAt(schema, path);
  const expected = one && others.length === 0 ? z.globalRegistry.get(one)?.expected : undefined;
  return typeof expected === "string" ? expected : undefined;
}

function extent(origin: string, items: string, text: string, number: string): string {
  if (origin === "array") return `this has too ${items} items`;
  return `this is too ${origin === "string" ? text : number}`;
}

function counted(count: number | bigint, origin: string): string {
  const unit = { string: "character", array: "item" }[origin];
  if (unit === undefined) return `${count}`;
  return `${count} ${unit}${Number(count) === 1 ? "" : "s"}`;
}

/** Names as "`a`, `b` or `c`". */
export function orList(names: readonly string[]): string {
  const quoted = names.map((name) => `\`${name}\``);
  const last = quoted.pop() ?? "nothing";
  return quoted.length === 0 ? last : `${quoted.join(", ")} or ${last}`;
}
