import { z } from "zod";
import { checkExpression } from "./expression.ts";
import type { ResultKind } from "./expression.ts";
import type { ExpressionEnvironment } from "./expression-environment.ts";
import { checkTemplate } from "./expression-template.ts";

/**
 * A schema for a CEL expression in a connector's config: a bad one is a config error that points at the very character. `gives` lists the
 * kinds of result that are accepted; `dyn` is always one of them.
 */
export function expressionText(environment: ExpressionEnvironment, gives?: readonly ResultKind[]) {
  return z.string().superRefine((text, context) => {
    const result = checkExpression(text, environment);
    if (!result.ok) {
      const { message, offset } = result.problem;
      context.addIssue({ code: "custom", message, params: { offset } });
      return;
    }
    const { kind, type } = result.expression;
    if (gives && kind !== "dyn" && !gives.includes(kind)) {
      context.addIssue({ code: "custom", message: `this gives ${type}; expected ${gives.join(" or ")}` });
    }
  });
}

/** A schema for a JSON value whose strings may have `{{ }}` holes; bad holes are config errors that point at the very character. */
export function templateValue(environment: ExpressionEnvironment) {
  return z.json().superRefine((value, context) => {
    const result = checkTemplate(value, environment);
    if (result.ok) return;
    for (const { path, message, offset } of result.problems) {
      context.addIssue({ code: "custom", message, path: [...path], params: { offset } });
    }
  });
}
