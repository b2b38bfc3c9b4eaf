import { AppError } from "../errors.ts";
import type { Bindings, ExpressionEnvironment } from "./expression-environment.ts";
import { checkText } from "./expression-text.ts";

/** A value with holes, compiled. Undefined means that the value is left out. */
export interface Template {
  /** Pure; throws `mapping_failed` when a hole fails. */
  readonly evaluate: (bindings: Bindings) => unknown;
}

/** One thing wrong in a value with holes. `path` leads to the text, `offset` counts characters in it. */
export interface TemplateProblem {
  readonly path: readonly (string | number)[];
  readonly message: string;
  readonly offset: number;
}

export type CompiledTemplate =
  | { readonly ok: true; readonly template: Template }
  | { readonly ok: false; readonly problems: readonly TemplateProblem[] };

/**
 * Compiles a JSON value whose strings may have `{{ }}` holes. A string that is exactly one hole keeps the type of what is in it; a hole that
 * gives null is left out of its object or list. Throws `config_invalid` naming every problem.
 */
export function compileTemplate(value: unknown, environment: ExpressionEnvironment): Template {
  const result = checkTemplate(value, environment);
  if (result.ok) return result.template;
  const list = result.problems.map(({ path, message }) => `${path.join(".") || "the value"} — ${message}`);
  throw new AppError("config_invalid", `The template is not valid: ${list.join("; ")}`, {
    details: { problems: result.problems },
  });
}

/** Like `compileTemplate`, but returns the problems. */
export function checkTemplate(value: unknown, environment: ExpressionEnvironment): CompiledTemplate {
  const problems: TemplateProblem[] = [];
  const template = compileAt(value, [], environment, problems);
  return problems.length > 0 ? { ok: false, problems } : { ok: true, template };
}

function compileAt(
  value: unknown,
  path: readonly (string | number)[],
  environment: ExpressionEnvironment,
  problems: TemplateProblem[],
): Template {
  if (typeof value === "string") {
    const compiled = checkText(value, environment);
    if (!compiled.ok) {
      problems.push(...compiled.problems.map((problem) => ({ ...problem, path })));
      return constant(undefined);
    }
    const { template } = compiled;
    return template.single ? { evaluate: (bindings) => template.evaluate(bindings) ?? undefined } : template;
  }
  if (Array.isArray(value)) {
    return listTemplate(value.map((item, index) => compileAt(item, [...path, index], environment, problems)));
  }
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value).map(
      ([key, item]) => [key, compileAt(item, [...path, key], environment, problems)] as const,
    );
    return objectTemplate(entries);
  }
  return constant(value);
}

/** A template that gives the same value every time. */
export function constant(value: unknown): Template {
  return { evaluate: () => value };
}

/** A list of templates; items that are left out close up. */
export function listTemplate(items: readonly Template[]): Template {
  return {
    evaluate: (bindings) => {
      const result: unknown[] = [];
      for (const item of items) {
        const value = item.evaluate(bindings);
        if (value !== undefined) result.push(value);
      }
      return result;
    },
  };
}

/** An object of templates; entries that are left out are absent. */
export function objectTemplate(entries: readonly (readonly [string, Template])[]): Template {
  if (entries.some(([key]) => key === "__proto__")) {
    throw new AppError("config_invalid", "`__proto__` is not accepted as a key.");
  }
  return {
    evaluate: (bindings) => {
      const result: Record<string, unknown> = {};
      for (const [key, template] of entries) {
        const value = template.evaluate(bindings);
        if (value !== undefined) result[key] = value;
      }
      return result;
    },
  };
}
