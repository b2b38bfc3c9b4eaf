import type { z } from "zod";
import { AppError, toAppError } from "../errors.ts";
import type { ResultKind } from "../sdk/expression.ts";
import type { Bindings, ExpressionEnvironment } from "../sdk/expression-environment.ts";
import { constant, listTemplate, objectTemplate } from "../sdk/expression-template.ts";
import type { Template } from "../sdk/expression-template.ts";
import { checkText } from "../sdk/expression-text.ts";
import type { TextTemplate } from "../sdk/expression-text.ts";
import type { ConfigPosition } from "./flow.ts";
import type { ConfigProblem, Located, LocatedText } from "./located.ts";
import { definitionOf, stepInto } from "./schema-walk.ts";

/** What is gathered while a value with holes is compiled. */
export interface CompileScope {
  readonly environment: ExpressionEnvironment;
  readonly problems: ConfigProblem[];
  /** The texts whose value is known only when an event comes. */
  readonly holes: Set<Located>;
}

/**
 * Compiles a value of the configuration into a template. `schemas` say what the value has to be (any of them): a hole of another type is a
 * problem, and a number for a text field becomes text.
 */
export function compileNode(node: Located, schemas: readonly z.ZodType[], scope: CompileScope): Template {
  if (node.kind === "scalar") return constant(node.value);
  if (node.kind === "text") return compileTextNode(node, schemas, scope);
  if (node.kind === "list") {
    const inner = schemas.flatMap((schema) => stepInto(schema, 0));
    return listTemplate(node.items.map((item) => compileNode(item, inner, scope)));
  }
  return objectTemplate(
    node.entries.map(({ key, keyPosition, value }) => {
      if (key.includes("{{")) {
        scope.problems.push({ position: keyPosition, path: value.path, message: "a key can't have holes" });
      }
      const inner = schemas.flatMap((schema) => stepInto(schema, key));
      return [key, compileNode(value, inner, scope)] as const;
    }),
  );
}

function compileTextNode(node: LocatedText, schemas: readonly z.ZodType[], scope: CompileScope): Template {
  const template = compileText(node, scope);
  if (!template) {
    scope.holes.add(node);
    return constant(undefined);
  }
  if (template.constant) return constant(template.evaluate({}));
  scope.holes.add(node);
  const accepted = new Set(schemas.flatMap((schema) => kindsOf(schema)));
  if (schemas.length > 0 && template.kind !== "dyn" && !accepted.has(template.kind)) {
    const found = template.single?.type ?? "text";
    const message = `this gives ${found}; expected ${expectedOf(accepted)}`;
    scope.problems.push({ position: node.position, path: node.path, message });
  }
  const evaluate = located(node, template);
  if (!template.single) return { evaluate };
  const becomesText = schemas.length > 0 && schemas.every((schema) => definitionOf(schema).type === "string");
  return {
    evaluate: (bindings) => {
      const value = evaluate(bindings) ?? undefined;
      return becomesText && typeof value === "number" ? String(value) : value;
    },
  };
}

const everyKind: readonly ResultKind[] = ["text", "int", "double", "bool", "list", "object", "null"];

const kindsBySchema: Readonly<Record<string, readonly ResultKind[]>> = {
  string: ["text", "int", "double", "null"],
  enum: ["text", "null"],
  literal: ["text", "int", "bool", "null"],
  number: ["int", "double", "null"],
  boolean: ["bool", "null"],
  object: ["object", "null"],
  record: ["object", "null"],
  array: ["list", "null"],
  null: ["null"],
};

// Null is accepted everywhere: it leaves the field out.
function kindsOf(schema: z.ZodType): readonly ResultKind[] {
  return kindsBySchema[definitionOf(schema).type] ?? everyKind;
}

const inWords: readonly (readonly [ResultKind, string])[] = [
  ["text", "text"],
  ["int", "a number"],
  ["bool", "true or false"],
  ["list", "a list"],
  ["object", "an object"],
];

function expectedOf(kinds: ReadonlySet<ResultKind>): string {
  const words = inWords.filter(([kind]) => kinds.has(kind)).map(([, word]) => word);
  return words.join(" or ");
}

/** Compiles a text with holes; what is wrong goes to the scope's problems, each at its own character. */
export function compileText(node: LocatedText, scope: CompileScope): TextTemplate | undefined {
  const compiled = checkText(node.text, scope.environment);
  if (compiled.ok) return compiled.template;
  for (const { message, offset } of compiled.problems) {
    scope.problems.push({ position: node.at(offset), path: node.path, message });
  }
  return undefined;
}

/** Evaluates; a failure says where in the configuration the expression stands. */
export function located(
  node: LocatedText,
  template: { readonly evaluate: (bindings: Bindings) => unknown },
): (bindings: Bindings) => unknown {
  return (bindings) => {
    try {
      return template.evaluate(bindings);
    } catch (error) {
      const fault = toAppError(error);
      const { expression, reason } = fault.details as { expression?: string; reason?: string };
      throw mappingError(node, (expression ?? node.shown).trim(), reason ?? "it failed");
    }
  };
}

/** A `mapping_failed` that names the place, the expression and the reason. */
export function mappingError(
  node: { readonly position: ConfigPosition; readonly path: string },
  expression: string,
  reason: string,
): AppError {
  const { file, line, column } = node.position;
  const message = `${file}:${line}:${column} ${node.path} — \`${expression}\` failed: ${reason}.`;
  return new AppError("mapping_failed", message, {
    details: { file, line, column, path: node.path, expression, reason },
  });
}
