import { AppError } from "../errors.ts";
import type { Event, EventType } from "../model/event.ts";
import type { Operation } from "../model/operation.ts";
import type { Expression } from "../sdk/expression.ts";
import type { Bindings, ExpressionEnvironment } from "../sdk/expression-environment.ts";
import { didYouMean } from "../sdk/nearest-name.ts";
import { checkCondition } from "./condition.ts";
import type { EventEnvironments } from "./event-type.ts";
import type { ConfigPosition, Flow, OnDead, Verdict } from "./flow.ts";
import { kindInWords } from "./located.ts";
import type { ConfigProblem, Located, LocatedText } from "./located.ts";
import { compileOperation, parseOperation } from "./operation.ts";
import type { OperationSource } from "./operation.ts";
import { compileText, located, mappingError } from "./operation-text.ts";
import { orList } from "./schema-issue.ts";

/** A flow as it is written, its names already checked. */
export interface FlowSource {
  readonly name: string;
  readonly position: ConfigPosition;
  readonly path: string;
  readonly connections: readonly string[];
  readonly events: readonly EventType[];
  readonly when: LocatedText | undefined;
  readonly lane: LocatedText | undefined;
  /** The target of operations that name none. */
  readonly at: Located | undefined;
  readonly onDead?: OnDead | undefined;
  readonly operations: readonly Located[];
}

/** What flows of one configuration are compiled with. */
export interface FlowContext {
  readonly environments: EventEnvironments;
  /** Names of the configured connections. */
  readonly connections: ReadonlySet<string>;
}

/** A flow, or all that is wrong with it. */
export type CompiledFlow =
  | { readonly ok: true; readonly flow: Flow }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

/** The longest lane key. */
export const maxLaneLength = 500;

/**
 * Compiles a flow: parses and type-checks its expressions against every event type that it selects, and checks the written parts of its
 * operations. An expression has to hold for all selected types; a field that only some of them have is a problem.
 */
export function compileFlow(source: FlowSource, context: FlowContext): CompiledFlow {
  const problems: ConfigProblem[] = [];
  const operations = source.operations.flatMap((item) => parseOperation(item, problems) ?? []);
  const target = targetOf(source, operations, context, problems);
  const compiled = compileForTypes(source, operations, context, problems);
  if (problems.length > 0 || target === undefined) return { ok: false, problems };
  const formOf = (event: Event): FlowForm => {
    const form = compiled.get(event.type);
    if (form) return form;
    throw new AppError("internal", `The flow ${source.name} was given an event of type ${event.type}.`);
  };
  const flow: Flow = {
    name: source.name,
    position: source.position,
    connections: source.connections,
    events: source.events,
    target,
    onDead: source.onDead ?? "skip",
    lane: (event) => (source.lane ? formOf(event).lane(event) : event.subject),
    when: (event) => formOf(event).when(event),
    map: (event) => formOf(event).map(event),
    operations: operations.map(({ name, fields }) => ({
      name,
      position: fields.position,
      path: fields.path,
    })),
  };
  return { ok: true, flow };
}

/** A flow compiled for one form of `event.data`. */
interface FlowForm {
  readonly lane: (event: Event) => string;
  readonly when: (event: Event) => Verdict;
  readonly map: (event: Event) => readonly Operation[];
}

function compileForTypes(
  source: FlowSource,
  operations: readonly OperationSource[],
  { environments }: FlowContext,
  problems: ConfigProblem[],
): ReadonlyMap<EventType, FlowForm> {
  const types = Map.groupBy(source.events, (type) => environments.of(type));
  const forms = new Map<EventType, FlowForm>();
  const found: { readonly types: readonly EventType[]; readonly problems: readonly ConfigProblem[] }[] = [];
  for (const [environment, sharing] of types) {
    const own: ConfigProblem[] = [];
    const form = compileForm(source, operations, environment, own);
    for (const type of sharing) forms.set(type, form);
    found.push({ types: sharing, problems: own });
  }
  problems.push(...mergeProblems(found));
  return forms;
}

/** One problem a place; one that not every event type has names those that have it. */
function mergeProblems(
  found: readonly { readonly types: readonly EventType[]; readonly problems: readonly ConfigProblem[] }[],
): ConfigProblem[] {
  const rows = found.flatMap(({ types, problems }) => problems.map((problem) => ({ types, problem })));
  const byPlace = Map.groupBy(rows, ({ problem: { position, path } }) => {
    return `${position.file}:${position.line}:${position.column} ${path}`;
  });
  return [...byPlace.values()].flatMap((same) => {
    const [first] = same;
    if (!first) return [];
    if (same.length >= found.length) return [first.problem];
    const types = same.flatMap((row) => row.types);
    const message = `in events of type ${orList(types).replace(/ or /, " and ")}: ${first.problem.message}`;
    return [{ ...first.problem, message }];
  });
}

function compileForm(
  source: FlowSource,
  operations: readonly OperationSource[],
  environment: ExpressionEnvironment,
  problems: ConfigProblem[],
): FlowForm {
  const lane = source.lane && compileLane(source.lane, environment, problems);
  const when = source.when && compileWhen(source.when, environment, problems);
  const maps = operations.map((operation) => compileOperation(operation, environment, problems));
  const bind = (event: Event): Bindings => environment.bind({ event });
  return {
    lane: (event) => lane?.(bind(event)) ?? event.subject,
    when: (event) => when?.(bind(event)) ?? { pass: true },
    map: (event) => {
      const bindings = bind(event);
      return maps.map((map) => map(bindings));
    },
  };
}

function compileWhen(
  node: LocatedText,
  environment: ExpressionEnvironment,
  problems: ConfigProblem[],
): ((bindings: Bindings) => Verdict) | undefined {
  const condition = checkCondition(node, environment, problems);
  return condition && verdictOf(node, condition);
}

function verdictOf(node: LocatedText, expression: Expression): (bindings: Bindings) => Verdict {
  const evaluate = located(node, expression);
  const failed: Verdict = { pass: false, reason: `\`${expression.text.trim()}\` is false` };
  return (bindings) => {
    const value = evaluate(bindings);
    if (value === true) return { pass: true };
    if (value === false) return failed;
    throw mappingError(node, expression.text.trim(), "it is neither true nor false");
  };
}

function compileLane(
  node: LocatedText,
  environment: ExpressionEnvironment,
  problems: ConfigProblem[],
): ((bindings: Bindings) => string) | undefined {
  const template = compileText(node, { environment, problems, holes: new Set() });
  if (!template) return undefined;
  if (template.kind === "list" || template.kind === "object" || template.kind === "null") {
    const message = `this gives ${template.single?.type ?? template.kind}; expected text, a number or a boolean`;
    problems.push({ position: node.position, path: node.path, message });
  }
  const evaluate = located(node, template);
  return (bindings) => {
    const value = evaluate(bindings);
    const lane = typeof value === "string" || typeof value === "number" ? String(value) : "";
    if (lane.trim() === "") throw mappingError(node, node.shown, "the lane maps to nothing");
    if (lane.length > maxLaneLength) {
      throw mappingError(node, node.shown, `the lane is longer than ${maxLaneLength} characters`);
    }
    return lane;
  };
}

function targetOf(
  source: FlowSource,
  operations: readonly OperationSource[],
  { connections }: FlowContext,
  problems: ConfigProblem[],
): string | undefined {
  let target: string | undefined;
  for (const operation of operations) {
    const node = operation.at ?? source.at;
    if (!node) {
      const { position, path } = operation.fields;
      problems.push({ position, path, message: "`at` is missing; expected the connection that it goes to" });
      continue;
    }
    const name = targetName(node, connections, problems);
    if (name === undefined) continue;
    if (target === undefined) target = name;
    else if (name !== target) {
      const message = `this goes to \`${name}\`, the flow's first operation to \`${target}\`; a flow has one target: split it into two flows`;
      problems.push({ position: node.position, path: node.path, message });
    }
  }
  return target;
}

function targetName(
  node: Located,
  connections: ReadonlySet<string>,
  problems: ConfigProblem[],
): string | undefined {
  const refuse = (message: string): undefined => {
    const seen = problems.some((problem) => problem.path === node.path && problem.message === message);
    if (!seen) problems.push({ position: node.position, path: node.path, message });
    return undefined;
  };
  if (node.kind !== "text") return refuse(`this is ${kindInWords(node)}; expected the name of a connection`);
  if (connections.has(node.text)) return node.text;
  if (node.text.includes("{{")) return refuse("a target can't have holes; expected the name of a connection");
  return refuse(
    `there is no connection \`${node.shown}\`; expected ${orList([...connections])}.${didYouMean(node.text, connections)}`,
  );
}
