import { EvaluationError } from "@marcbachmann/cel-js";
import type { ASTNode, Environment } from "@marcbachmann/cel-js";

/** What the library hands to a macro, as far as it is used here; its published types leave this part out. */
interface Checker {
  readonly registry: unknown;
  readonly check: (node: ASTNode, context: unknown) => CheckedType;
  readonly getType: (name: string) => CheckedType;
  readonly createError: (code: string, message: string, node: ASTNode) => Error;
}

interface CheckedType {
  readonly kind: string;
  readonly name: string;
  readonly unify: (registry: unknown, other: CheckedType) => CheckedType | null;
}

interface Evaluator {
  readonly run: (node: ASTNode, context: unknown) => unknown;
  readonly debugType: (value: unknown) => {
    readonly fieldLazy: (value: unknown, key: unknown, node: ASTNode, evaluator: Evaluator) => unknown;
  };
}

interface Macro {
  readonly args: readonly ASTNode[];
  readonly async: false;
  readonly typeCheck: (checker: Checker, macro: Macro, context: unknown) => CheckedType;
  readonly evaluate: (evaluator: Evaluator, macro: Macro, context: unknown) => unknown;
}

/** Adds `orDefault(x, fallback)` and `maybe(x)`, which don't fail when `x` is absent. */
export function registerMacros(cel: Environment): void {
  cel.registerFunction("orDefault(ast, ast): dyn", ({ args }: { args: ASTNode[] }) => orDefault(args));
  cel.registerFunction("maybe(ast): dyn", ({ args }: { args: ASTNode[] }) => maybe(args));
}

/**
 * Makes every `has(x)` of a parsed expression ours: the library's own does not check the field's name, so that a misspelt one would be
 * silently false for ever, and fails where a link before the last is absent.
 */
export function replaceHas(ast: ASTNode): void {
  for (const node of callsOf(ast)) {
    if (node.op !== "call" || node.args[0] !== "has" || node.args[1].length !== 1) continue;
    (node as unknown as { setMeta: (key: string, value: Macro) => void }).setMeta("macro", has(node.args[1]));
  }
}

/** Every node of an expression that is a call, the outermost first. */
export function* callsOf(ast: ASTNode): Generator<ASTNode> {
  if (ast.op === "call" || ast.op === "rcall") yield ast;
  for (const child of childrenOf(ast)) yield* callsOf(child);
}

function childrenOf(ast: ASTNode): readonly ASTNode[] {
  if (ast.op === "value" || ast.op === "id") return [];
  return ([ast.args] as unknown[]).flat(3).filter((item): item is ASTNode => {
    return typeof item === "object" && item !== null && "op" in item;
  });
}

function has(args: readonly ASTNode[]): Macro {
  return {
    args,
    async: false,
    typeCheck(checker, macro, context) {
      const [field] = macro.args as [ASTNode];
      if (field.op !== ".") {
        throw checker.createError(
          "invalid_macro_argument",
          "has() takes a field, such as has(event.data.order.total)",
          field,
        );
      }
      checker.check(field, context);
      return checker.getType("bool");
    },
    evaluate: (evaluator, macro, context) => read(evaluator, macro.args[0] as ASTNode, context) !== undefined,
  };
}

function orDefault(args: readonly ASTNode[]): Macro {
  return {
    args,
    async: false,
    typeCheck(checker, macro, context) {
      const [value, fallback] = macro.args as [ASTNode, ASTNode];
      const valueType = checker.check(value, context);
      const fallbackType = checker.check(fallback, context);
      const type = valueType.unify(checker.registry, fallbackType);
      if (type) return type;
      throw checker.createError(
        "incompatible_argument_type",
        `orDefault() needs a fallback of the same type, got ${valueType.name} and ${fallbackType.name}`,
        fallback,
      );
    },
    evaluate(evaluator, macro, context) {
      const [value, fallback] = macro.args as [ASTNode, ASTNode];
      const found = read(evaluator, value, context);
      return isEmpty(found) ? evaluator.run(fallback, context) : found;
    },
  };
}

function maybe(args: readonly ASTNode[]): Macro {
  return {
    args,
    async: false,
    typeCheck: (checker, macro, context) => checker.check(macro.args[0] as ASTNode, context),
    evaluate(evaluator, macro, context) {
      const found = read(evaluator, macro.args[0] as ASTNode, context);
      return isEmpty(found) ? null : found;
    },
  };
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || value === "";
}

// The value, or undefined when it or any link on the way to it is absent. Fields are followed by hand, for an error costs more than the rest.
function read(evaluator: Evaluator, node: ASTNode, context: unknown): unknown {
  if (node.op === ".") {
    const owner = read(evaluator, node.args[0], context);
    if (owner === undefined || owner === null) return undefined;
    return evaluator.debugType(owner).fieldLazy(owner, node.args[1], node, evaluator);
  }
  if (node.op === "[]") {
    const owner = read(evaluator, node.args[0], context);
    if (owner === undefined || owner === null) return undefined;
    const key = evaluator.run(node.args[1], context);
    if (Array.isArray(owner)) return owner[Number(key)] as unknown;
    return evaluator.debugType(owner).fieldLazy(owner, key, node, evaluator);
  }
  try {
    return evaluator.run(node, context);
  } catch (error) {
    if (error instanceof EvaluationError && error.code === "no_such_key") return undefined;
    throw error;
  }
}
