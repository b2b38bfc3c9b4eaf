import { checkExpression } from "../sdk/expression.ts";
import type { Expression } from "../sdk/expression.ts";
import type { ExpressionEnvironment } from "../sdk/expression-environment.ts";
import type { ConfigProblem, LocatedText } from "./located.ts";

/** Compiles an expression that has to say yes or no; what is wrong goes to `problems`, at the character where it is. */
export function checkCondition(
  node: LocatedText,
  environment: ExpressionEnvironment,
  problems: ConfigProblem[],
): Expression | undefined {
  const result = checkExpression(node.text, environment);
  if (!result.ok) {
    const { message, offset } = result.problem;
    problems.push({ position: node.at(offset), path: node.path, message });
    return undefined;
  }
  const { expression } = result;
  if (expression.kind === "bool" || expression.kind === "dyn") return expression;
  const message = `this gives ${expression.type}; expected bool`;
  problems.push({ position: node.position, path: node.path, message });
  return undefined;
}
