import { Environment } from "@marcbachmann/cel-js";
import { registerFunctions } from "./expression-function.ts";
import { registerMacros } from "./expression-macro.ts";
import { createRecordClasses } from "./expression-record.ts";
import { celName } from "./expression-type.ts";
import type { ExpressionType, RecordType } from "./expression-type.ts";

/** The variables of one evaluation, converted for the environment that made them. */
export interface Bindings {
  readonly [name: string]: unknown;
}

/** What expressions may name: variables with their types, and the functions of `docs/reference/expressions.md`. */
export interface ExpressionEnvironment {
  readonly variables: Readonly<Record<string, ExpressionType>>;
  /** Converts JSON values for use by this environment's expressions. Costs next to nothing: records convert a field when it is first read. */
  readonly bind: (values: Readonly<Record<string, unknown>>) => Bindings;
  /** The record type of this name, for error messages. */
  readonly record: (name: string) => RecordType | undefined;
  /** Names of the functions that expressions may call. */
  readonly functionNames: () => readonly string[];
  readonly cel: Environment;
}

/** The longest expression that is accepted, in characters. */
export const maxExpressionLength = 4096;

// An expression is written by hand: these bounds are far above what one can read, and below what could be felt.
const limits = {
  maxAstNodes: 2000,
  maxDepth: 60,
  maxListElements: 200,
  maxMapEntries: 200,
  maxCallArguments: 8,
};

/** An environment for the variables given. Making one takes a millisecond or so: make it once and keep it. */
export function createExpressionEnvironment(
  variables: Readonly<Record<string, ExpressionType>>,
): ExpressionEnvironment {
  const cel = new Environment({ homogeneousAggregateLiterals: false, limits });
  registerFunctions(cel);
  registerMacros(cel);
  const classes = createRecordClasses();
  const converters = Object.entries(variables).map(([name, type]) => ({
    name,
    convert: classes.converter(type),
  }));
  const records = new Map<string, RecordType>();
  for (const { type, ctor } of classes.all()) {
    const fields = Object.entries(type.fields).map(([field, fieldType]) => [field, celName(fieldType)]);
    cel.registerType(type.name, { ctor, fields: Object.fromEntries(fields) as Record<string, string> });
    records.set(type.name, type);
  }
  for (const [name, type] of Object.entries(variables)) cel.registerVariable(name, celName(type));
  return {
    variables,
    bind: (values) => {
      const bindings: Record<string, unknown> = {};
      for (const { name, convert } of converters) {
        const value = values[name];
        bindings[name] = convert ? convert(value) : value;
      }
      return bindings;
    },
    record: (name) => records.get(name),
    functionNames: () => [...new Set(cel.getDefinitions().functions.map((row) => row.name))],
    cel,
  };
}
