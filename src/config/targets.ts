import { formatProblem } from "../flows/located.ts";
import type { ConfigProblem } from "../flows/located.ts";
import type { Flow } from "../flows/flow.ts";
import type { Connection } from "../sdk/connector.ts";
import { didYouMean } from "../sdk/nearest-name.ts";
import { orList } from "../flows/schema-issue.ts";
import type { DatasetName } from "../model/dataset.ts";
import { workerDatasets } from "../model/dataset.ts";
import type { Config, ConnectionConfig, ExportConfig } from "./config.ts";

/**
 * What can be checked only when the connections are open: that each flow's target takes its operations, that a polled connection has the
 * sources that it names, and that an export's connections give its datasets and take rows. Returns one line a problem, `file:line:column path — message`.
 */
export function checkTargets(
  config: Config,
  capabilitiesOf: (connection: string) => Connection | undefined,
): readonly string[] {
  const problems = [
    ...config.flows.flatMap((flow) => targetProblems(flow, capabilitiesOf(flow.target)?.desk?.operations)),
    ...[...config.connections.values()].flatMap((connection) =>
      pollProblems(connection, Object.keys(capabilitiesOf(connection.name)?.sources ?? {})),
    ),
    ...config.exports.flatMap((one) => [
      ...sinkProblems(one, capabilitiesOf(one.to)?.sink !== undefined),
      ...datasetProblems(one, capabilitiesOf(one.from)?.datasets?.datasets ?? []),
    ]),
  ];
  return problems.map(formatProblem);
}

function targetProblems(flow: Flow, offered: Readonly<Record<string, unknown>> | undefined): ConfigProblem[] {
  if (offered === undefined) {
    const message = `the connection \`${flow.target}\` takes no operations; expected one whose connector is a desk`;
    return [{ position: flow.position, path: `flows.${flow.name}`, message }];
  }
  const known = Object.keys(offered).filter((name) => offered[name] !== undefined);
  return (flow.operations ?? [])
    .filter(({ name }) => !known.includes(name))
    .map(({ name, position, path }) => ({
      position,
      path,
      message: `the connection \`${flow.target}\` can't do \`${name}\`; it can do ${known.join(", ") || "nothing"}`,
    }));
}

function pollProblems({ name, poll, position }: ConnectionConfig, known: readonly string[]): ConfigProblem[] {
  if (!poll || !position) return [];
  const path = `connections.${name}.poll`;
  if (known.length === 0) {
    return [{ position, path, message: "this connection has nothing to poll; expected no `poll:`" }];
  }
  return (poll.sources ?? [])
    .filter((source) => !known.includes(source))
    .map((source) => ({
      position,
      path: `${path}.sources`,
      message: `there is no source \`${source}\`; expected ${orList(known)}.${didYouMean(source, known)}`,
    }));
}

function sinkProblems({ name, to, position }: ExportConfig, isSink: boolean): ConfigProblem[] {
  if (isSink || !position) return [];
  const message = `the connection \`${to}\` takes no rows; expected one whose connector is a sink`;
  return [{ position: position.to, path: `exports.${name}.to`, message }];
}

function datasetProblems(
  { name, from, tables, position }: ExportConfig,
  given: readonly DatasetName[],
): ConfigProblem[] {
  const known = [...given, ...workerDatasets];
  const missing = tables.filter(({ table }) => !known.includes(table.dataset));
  if (missing.length === 0) return [];
  if (given.length === 0 && position) {
    const message = `the connection \`${from}\` gives no datasets; expected one whose connector does`;
    return [{ position: position.from, path: `exports.${name}.from`, message }];
  }
  return missing.flatMap(({ table: { dataset }, position: at, path }) => {
    if (!at) return [];
    const message = `the connection \`${from}\` does not give \`${dataset}\`; expected ${orList(known)}.${didYouMean(dataset, known)}`;
    return [{ position: at, path, message }];
  });
}
