import type { z } from "zod";
import { AppError } from "../errors.ts";
import { isOperationName, operationData, operationNames } from "../model/operation.ts";
import type { Operation, OperationName } from "../model/operation.ts";
import type { Bindings, ExpressionEnvironment } from "../sdk/expression-environment.ts";
import { didYouMean } from "../sdk/nearest-name.ts";
import { follow, join, kindInWords, plainOf } from "./located.ts";
import type { ConfigProblem, Located, LocatedMap } from "./located.ts";
import { compileNode } from "./operation-text.ts";
import type { CompileScope } from "./operation-text.ts";
import { orList, problemsOf } from "./schema-issue.ts";
import { alternatives } from "./schema-walk.ts";

/** One item of a flow's `do:`, taken apart. */
export interface OperationSource {
  readonly name: OperationName;
  /** Its fields, without `at`. */
  readonly fields: LocatedMap;
  /** The target that it names itself. */
  readonly at: Located | undefined;
}

/** Takes an item of `do:` apart: a mapping of one key, the operation's name. */
export function parseOperation(item: Located, problems: ConfigProblem[]): OperationSource | undefined {
  const refuse = (message: string, at: { position: Located["position"]; path: string } = item): undefined => {
    problems.push({ position: at.position, path: at.path, message });
    return undefined;
  };
  if (item.kind !== "map") {
    return refuse(`this is ${kindInWords(item)}; expected a mapping such as \`ticket.open: { … }\``);
  }
  const [entry, second] = item.entries;
  if (!entry) return refuse("this is empty; expected one operation");
  if (second) {
    return refuse(`one operation an item; expected \`- ${second.key}:\` as an item of its own`, {
      position: second.keyPosition,
      path: second.value.path,
    });
  }
  const { key: name, keyPosition, value } = entry;
  if (!isOperationName(name)) {
    const message = `there is no operation \`${name}\`; expected ${orList(operationNames)}.${didYouMean(name, operationNames)}`;
    return refuse(message, { position: keyPosition, path: value.path });
  }
  if (value.kind !== "map") {
    return refuse(`this is ${kindInWords(value)}; expected a mapping of the operation's fields`, value);
  }
  const at = value.entries.find((field) => field.key === "at")?.value;
  const fields = {
    ...value,
    entries: value.entries.filter((field) => field.key !== "at"),
    position: keyPosition,
  };
  return { name, fields, at };
}

/** Compiles an operation for events of one form. What it returns maps and validates; it throws `mapping_failed` or `operation_invalid`. */
export function compileOperation(
  source: OperationSource,
  environment: ExpressionEnvironment,
  problems: ConfigProblem[],
): (bindings: Bindings) => Operation {
  const { name, fields } = source;
  const schema: z.ZodType = operationData[name];
  const scope: CompileScope = { environment, problems, holes: new Set() };
  const template = compileNode(fields, alternatives(schema), scope);
  problems.push(...literalProblems(fields, schema, scope.holes));
  return (bindings) => {
    const result = schema.safeParse(template.evaluate(bindings));
    if (result.success) return { name, input: result.data } as Operation;
    throw operationInvalid(result.error.issues, fields, name);
  };
}

/** What is wrong with the parts that are the same for every event; where a hole stands, its value is not known yet. */
function literalProblems(
  fields: LocatedMap,
  schema: z.ZodType,
  holes: ReadonlySet<Located>,
): ConfigProblem[] {
  const result = schema.safeParse(sampleOf(fields, holes));
  if (result.success) return [];
  const certain = result.error.issues.filter((issue) => !holes.has(follow(fields, issue.path).node));
  return problemsOf(certain, fields, schema);
}

function sampleOf(node: Located, holes: ReadonlySet<Located>): unknown {
  if (holes.has(node)) return "mapped";
  if (node.kind === "list") return node.items.map((item) => sampleOf(item, holes));
  if (node.kind !== "map") return plainOf(node);
  return Object.fromEntries(node.entries.map(({ key, value }) => [key, sampleOf(value, holes)]));
}

// The schema's own words name no value: they may be shown, unlike the input.
function operationInvalid(
  issues: readonly z.core.$ZodIssue[],
  fields: LocatedMap,
  name: OperationName,
): AppError {
  const [issue] = issues;
  const steps = issue?.path ?? [];
  const { node } = follow(fields, steps);
  const path = steps.reduce<string>(join, fields.path);
  const { file, line, column } = node.position;
  const problem = problemInWords(issue);
  return new AppError("operation_invalid", `${file}:${line}:${column} ${path} — ${name}: ${problem}.`, {
    details: { file, line, column, path, problem },
  });
}

function problemInWords(issue: z.core.$ZodIssue | undefined): string {
  if (issue?.code === "unrecognized_keys") return "it has keys that the operation does not take";
  if (issue?.code === "invalid_type") return issue.message.replace("received undefined", "there is none");
  return issue?.message ?? "it is not valid";
}
