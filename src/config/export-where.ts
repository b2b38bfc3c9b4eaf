import { checkCondition } from "../flows/condition.ts";
import type { ConfigProblem, LocatedText } from "../flows/located.ts";
import { located, mappingError } from "../flows/operation-text.ts";
import type { ColumnType, Dataset } from "../model/dataset.ts";
import { createExpressionEnvironment } from "../sdk/expression-environment.ts";
import type { ExpressionEnvironment } from "../sdk/expression-environment.ts";
import type { ExpressionType } from "../sdk/expression-type.ts";
import type { RowFilter } from "./config.ts";

/** Environments for expressions over rows, one a dataset. */
export interface DatasetEnvironments {
  readonly of: (dataset: Dataset) => ExpressionEnvironment;
}

const types: Readonly<Record<ColumnType, ExpressionType>> = {
  string: "string",
  timestamp: "string",
  date: "string",
  integer: "int",
  number: "double",
  boolean: "bool",
  json: "dyn",
};

/** Makes environments as they are asked for: one set serves a whole configuration. */
export function createDatasetEnvironments(): DatasetEnvironments {
  const made = new Map<string, ExpressionEnvironment>();
  return {
    of: ({ name, columns }) => {
      const known = made.get(name);
      if (known) return known;
      const fields = Object.fromEntries(columns.map((column) => [column.name, types[column.type]]));
      const environment = createExpressionEnvironment({ row: { kind: "record", name: "row", fields } });
      made.set(name, environment);
      return environment;
    },
  };
}

/** Compiles a `where`; what is wrong goes to `problems`. */
export function compileWhere(
  node: LocatedText,
  environment: ExpressionEnvironment,
  problems: ConfigProblem[],
): RowFilter | undefined {
  const condition = checkCondition(node, environment, problems);
  if (condition === undefined) return undefined;
  const evaluate = located(node, { evaluate: condition.holds });
  const passes: RowFilter["passes"] = (row) => {
    const value = evaluate(environment.bind({ row }));
    // As in SQL, what cannot be told of a row for want of a value does not hold.
    if (value === undefined) return false;
    if (typeof value === "boolean") return value;
    throw mappingError(node, condition.text.trim(), "it is neither true nor false");
  };
  return { text: condition.text.trim(), passes };
}
