import { EvaluationError } from "@marcbachmann/cel-js";
import type { ASTNode, ParseError, TypeError as CelTypeError } from "@marcbachmann/cel-js";
import type { ExpressionEnvironment } from "./expression-environment.ts";
import { NoJsonForm } from "./expression-result.ts";
import { didYouMean } from "./nearest-name.ts";

/** What is wrong with an expression, and where: `offset` counts characters from the start of its text. */
export interface ExpressionProblem {
  readonly message: string;
  readonly offset: number;
}

/** Describes an error of the parser or the type checker, with the nearest name for one that is misspelt. */
export function describeProblem(
  error: ParseError | CelTypeError,
  environment: ExpressionEnvironment,
): ExpressionProblem {
  const node = error.node as ASTNode | undefined;
  const place = node?.op === "[]" && error.code === "no_such_key" ? node.args[1] : node;
  const offset = place?.pos ?? error.range?.start ?? 0;
  return { message: problemMessage(error, node, environment), offset };
}

function problemMessage(
  error: ParseError | CelTypeError,
  node: ASTNode | undefined,
  environment: ExpressionEnvironment,
): string {
  switch (error.code) {
    case "no_such_key":
      return unknownField(node, environment) ?? error.summary;
    case "unknown_variable": {
      const name = node?.op === "id" ? node.args : "";
      const known = Object.keys(environment.variables);
      return `there is no \`${name}\` here; expected ${known.map((word) => `\`${word}\``).join(" or ")}.${didYouMean(name, known)}`;
    }
    case "no_matching_overload":
      return unknownFunction(node, environment) ?? error.summary;
    case "no_such_overload":
      return error.summary.replace(/^no such overload: /, "these types don't go together: ");
    case "limit_exceeded":
      return `the expression is too large: ${error.summary}`;
    default:
      return (hints[error.summary] ?? error.summary).replace(/\bEOF\b/, "the end of the expression");
  }
}

const hints: Readonly<Record<string, string>> = {
  "Unexpected character: =": "Unexpected character: =; equality is written `==`",
  "Unexpected character: $":
    "Unexpected character: $; references such as `${NAME}` are not resolved in expressions",
};

function unknownField(node: ASTNode | undefined, environment: ExpressionEnvironment): string | undefined {
  if (node?.op !== "." && node?.op !== "[]") return undefined;
  const owner = (node.args[0] as unknown as { checkedType?: { name: string } }).checkedType?.name;
  const record = owner === undefined ? undefined : environment.record(owner);
  if (!record) return undefined;
  const name = node.op === "." ? node.args[1] : node.args[1].args;
  if (typeof name !== "string") return undefined;
  const known = Object.keys(record.fields);
  const nearest = didYouMean(name, known);
  // A long list would bury the answer.
  if (nearest !== "" && known.length > 12) return `\`${record.name}\` has no \`${name}\`.${nearest}`;
  return `\`${record.name}\` has no \`${name}\`; it has ${known.join(", ")}.${nearest}`;
}

function unknownFunction(node: ASTNode | undefined, environment: ExpressionEnvironment): string | undefined {
  if (node?.op !== "call" && node?.op !== "rcall") return undefined;
  const name = node.args[0];
  const known = environment.functionNames();
  if (known.includes(name)) return undefined;
  return `there is no function \`${name}\`.${didYouMean(name, known)}`;
}

/**
 * Why an expression failed on one event, in words that hold nothing of the event: the library's own messages may quote the value, which may
 * be personal data.
 */
export function describeFailure(error: unknown): string {
  if (error instanceof NoJsonForm) return `it gives ${error.message}`;
  if (!(error instanceof EvaluationError)) return "it failed";
  const node = error.node;
  if (error.code === "no_such_key") {
    return node?.op === "."
      ? `the event has no \`${chainOf(node)}\``
      : "the event has no value under that key";
  }
  return failureByCode[error.code] ?? `it failed (${error.code.replaceAll("_", " ")})`;
}

const failureByCode: Readonly<Record<string, string>> = {
  index_out_of_bounds: "the list has no item at that index",
  field_type_mismatch: "a field of the event has another type than its schema says",
  variable_type_mismatch: "a value of the event has another type than its schema says",
  no_such_overload: "the values are of types that the operator does not take",
  no_matching_overload: "the values are of types that the function does not take",
  invalid_condition_type: "a condition is neither true nor false",
  invalid_logical_operand: "a condition is neither true nor false",
  numeric_overflow: "a number is too large",
  division_by_zero: "a number is divided by zero",
  modulo_by_zero: "a number is divided by zero",
  invalid_regular_expression: "the regular expression is not valid",
  truncate_length: "truncate() needs a length of at least 1",
  not_money: "money() needs an amount with `minor` (a whole number) and `currency`",
  invalid_timestamp: "a time is not in RFC 3339 form",
  unsupported_type: "a value of the event can't be read, such as an object with a key named `constructor`",
  unknown_timezone: "formatTime() needs an IANA time zone such as Europe/Paris",
};

// The path as it is written in the expression; names only, no value.
function chainOf(node: ASTNode): string {
  if (node.op === "id") return node.args;
  if (node.op === ".") return `${chainOf(node.args[0])}.${node.args[1]}`;
  if (node.op === "[]") return `${chainOf(node.args[0])}[…]`;
  return "(…)";
}
