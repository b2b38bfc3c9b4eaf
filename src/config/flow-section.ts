import { compileFlow } from "../flows/compile.ts";
import type { FlowContext } from "../flows/compile.ts";
import type { Flow } from "../flows/flow.ts";
import { plainOf, valueOf } from "../flows/located.ts";
import type { ConfigProblem, Located, LocatedEntry, LocatedText } from "../flows/located.ts";
import { orList, problemsOf } from "../flows/schema-issue.ts";
import { isEventType } from "../model/event.ts";
import { didYouMean } from "../sdk/nearest-name.ts";
import { checkName } from "./connection.ts";
import { flowSchema } from "./schema.ts";
import type { SecretResolver } from "./secret.ts";

/** Parses and compiles one flow; what is wrong goes to `problems`. */
export function parseFlow(
  entry: LocatedEntry,
  context: FlowContext,
  resolver: SecretResolver,
  problems: ConfigProblem[],
): Flow | undefined {
  const { key: name, keyPosition, value: node } = entry;
  checkName(entry, "flow", problems);
  const result = flowSchema.safeParse(plainOf(node));
  const shapeProblems = result.success ? [] : problemsOf(result.error.issues, node, flowSchema);
  problems.push(...shapeProblems);

  // What is well-formed is checked on, so that one wrong key does not hide a wrong expression.
  const on = valueOf(node, "on");
  const connections = textsOf(valueOf(on, "connection"));
  for (const connection of connections) checkConnection(connection, context.connections, problems);
  const events = textsOf(valueOf(on, "events")).map((event) => event.text);
  const operations = valueOf(node, "do");
  const compiled = compileFlow(
    {
      name,
      position: keyPosition,
      path: node.path,
      connections: [...new Set(connections.map((connection) => connection.text))],
      events: [...new Set(events.filter(isEventType))],
      when: textOf(valueOf(node, "when")),
      lane: textOf(resolved(valueOf(node, "lane"), resolver)),
      at: valueOf(node, "at"),
      onDead: result.data?.onDead,
      operations:
        operations?.kind === "list" ? operations.items.map((item) => resolver.resolve(item, [], true)) : [],
    },
    context,
  );
  if (compiled.ok) return shapeProblems.length === 0 ? compiled.flow : undefined;
  problems.push(...compiled.problems);
  return undefined;
}

function resolved(node: Located | undefined, resolver: SecretResolver): Located | undefined {
  return node && resolver.resolve(node, [], true);
}

function textOf(node: Located | undefined): LocatedText | undefined {
  return node?.kind === "text" ? node : undefined;
}

function textsOf(node: Located | undefined): readonly LocatedText[] {
  const nodes = node?.kind === "list" ? node.items : node ? [node] : [];
  return nodes.filter((one) => one.kind === "text");
}

/** Refuses a name that no connection has. */
export function checkConnection(
  node: LocatedText,
  connections: ReadonlySet<string>,
  problems: ConfigProblem[],
): void {
  if (connections.has(node.text)) return;
  const known = [...connections];
  problems.push({
    position: node.position,
    path: node.path,
    message: `there is no connection \`${node.shown}\`; expected ${orList(known)}.${didYouMean(node.text, known)}`,
  });
}
