import { EvaluationError, ParseError, TypeError as CelTypeError } from "@marcbachmann/cel-js";
import type { ParseResult } from "@marcbachmann/cel-js";
import { AppError } from "../errors.ts";
import type { Bindings, ExpressionEnvironment } from "./expression-environment.ts";
import { maxExpressionLength } from "./expression-environment.ts";
import { describeFailure, describeProblem } from "./expression-fault.ts";
import type { ExpressionProblem } from "./expression-fault.ts";
import { callsOf, replaceHas } from "./expression-macro.ts";
import { toJson } from "./expression-result.ts";

/** What kind of value an expression gives, as far as its types tell. */
export type ResultKind = "dyn" | "text" | "int" | "double" | "bool" | "null" | "list" | "object" | "other";

/** A compiled CEL expression. */
export interface Expression {
  readonly text: string;
  readonly kind: ResultKind;
  /** The name of its CEL type, for messages. */
  readonly type: string;
  /**
   * Its value as JSON: numbers, strings, booleans, null, arrays, objects. Pure. Throws `mapping_failed` whose message and details (`expression`,
   * `reason`) hold nothing of the values.
   */
  readonly evaluate: (bindings: Bindings) => unknown;
  /** What a condition gives; undefined where a value that it asks for is not there. Throws like `evaluate` for what else goes wrong. */
  readonly holds: (bindings: Bindings) => unknown;
}

export type CompiledExpression =
  | { readonly ok: true; readonly expression: Expression }
  | { readonly ok: false; readonly problem: ExpressionProblem };

/** Compiles and type-checks a CEL expression, or says what is wrong with it and where. */
export function checkExpression(text: string, environment: ExpressionEnvironment): CompiledExpression {
  if (text.length > maxExpressionLength) {
    return failed(`the expression is longer than ${maxExpressionLength} characters`, 0);
  }
  if (text.trim() === "") return failed("the expression is empty", 0);
  try {
    const parsed = environment.cel.parse(text);
    replaceHas(parsed.ast);
    const misplaced = misplacedMaybe(parsed);
    if (misplaced !== undefined)
      return failed("maybe() stands alone; inside an expression use orDefault()", misplaced);
    const checked = parsed.check();
    if (!checked.valid || checked.error) throw checked.error ?? new Error("the type checker gave no reason");
    return { ok: true, expression: expressionOf(text, parsed, checked.type ?? "dyn") };
  } catch (error) {
    if (!(error instanceof ParseError) && !(error instanceof CelTypeError)) throw error;
    return { ok: false, problem: describeProblem(error, environment) };
  }
}

/** Compiles a CEL expression; throws `config_invalid` with `expression`, `offset` and `reason` in its details. */
export function compileExpression(text: string, environment: ExpressionEnvironment): Expression {
  const result = checkExpression(text, environment);
  if (result.ok) return result.expression;
  const { message, offset } = result.problem;
  throw new AppError(
    "config_invalid",
    `The expression \`${text}\` is not valid at character ${offset + 1}: ${message}`,
    {
      details: { expression: text, offset, reason: message },
    },
  );
}

function expressionOf(text: string, parsed: ParseResult, type: string): Expression {
  const failure = (error: unknown): AppError => {
    const reason = describeFailure(error);
    // The cause is left out: the library's message may quote the values.
    return new AppError("mapping_failed", `\`${text}\` failed: ${reason}.`, {
      details: { expression: text, reason },
    });
  };
  return {
    text,
    kind: kindOf(type),
    type,
    evaluate: (bindings) => {
      try {
        return toJson(parsed(bindings));
      } catch (error) {
        throw failure(error);
      }
    },
    holds: (bindings) => {
      try {
        return parsed(bindings) as unknown;
      } catch (error) {
        if (error instanceof EvaluationError && error.code === "no_such_key") return undefined;
        throw failure(error);
      }
    },
  };
}

// Left to itself, null would flow into operators and fail there, event by event.
function misplacedMaybe(parsed: ParseResult): number | undefined {
  for (const node of callsOf(parsed.ast)) {
    if (node !== parsed.ast && node.op === "call" && node.args[0] === "maybe") return node.start;
  }
  return undefined;
}

const kinds: Readonly<Record<string, ResultKind>> = {
  dyn: "dyn",
  string: "text",
  "google.protobuf.Timestamp": "text",
  int: "int",
  uint: "int",
  double: "double",
  bool: "bool",
  null: "null",
  bytes: "other",
  type: "other",
  "google.protobuf.Duration": "other",
};

function kindOf(type: string): ResultKind {
  const kind = kinds[type];
  if (kind) return kind;
  if (type === "list" || type.startsWith("list<")) return "list";
  if (type.startsWith("dyn<")) return "dyn";
  return "object";
}

function failed(message: string, offset: number): CompiledExpression {
  return { ok: false, problem: { message, offset } };
}
