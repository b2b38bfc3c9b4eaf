import { createHash, createHmac } from "node:crypto";
import type { ConfigProblem, Located, LocatedText } from "../flows/located.ts";
import { valueOf } from "../flows/located.ts";
import { orList } from "../flows/schema-issue.ts";
import { datasetCatalogue } from "../model/dataset-catalogue.ts";
import type { Column, Dataset, DatasetName, PersonalClass } from "../model/dataset.ts";
import { didYouMean } from "../sdk/nearest-name.ts";
import type { ColumnHash, ExportTable, RowFilter } from "./config.ts";
import type { DatasetEnvironments } from "./export-where.ts";
import { compileWhere } from "./export-where.ts";

type PersonalPolicy = { readonly [C in PersonalClass]: "keep" | "hash" | "drop" } & {
  readonly hashKey?: string | undefined;
};

/** A dataset as it is written in an export, with what the export says of all of them. */
interface TableSource {
  readonly wanted: {
    readonly name: DatasetName;
    readonly table?: string | undefined;
    readonly columns?: readonly string[] | undefined;
    readonly where?: string | undefined;
  };
  readonly node: Located;
  readonly personal: PersonalPolicy;
  readonly tablePrefix: string;
  /** The connection that it is read from. */
  readonly from: string;
}

/** Compiles one dataset of an export to the table that it becomes; what is wrong goes to `problems`. */
export function compileExportTable(
  source: TableSource,
  environments: DatasetEnvironments,
  problems: ConfigProblem[],
): ExportTable {
  const { wanted, node, personal, tablePrefix } = source;
  const dataset: Dataset = datasetCatalogue[wanted.name];
  const kept = keptColumns(source, dataset, problems);
  const whereNode = valueOf(node, "where");
  const where =
    whereNode?.kind === "text" ? compileWhere(whereNode, environments.of(dataset), problems) : undefined;
  const hashed = kept.filter((column) => policyOf(column, personal) === "hash").map(({ name }) => name);
  const columns = kept.map((column): Column => {
    return hashed.includes(column.name) ? { ...column, type: "string" } : column;
  });
  const { key, day } = dataset;
  return {
    table: { name: tablePrefix + (wanted.table ?? wanted.name), dataset: wanted.name, columns, key, day },
    read: dataset.columns.filter((column) => kept.includes(column) || looksAt(where, column)),
    ...(where && { where }),
    ...(hashed.length > 0 && { hash: hashOf(hashed, personal.hashKey ?? "") }),
    selection: selectionOf(source, hashed, where),
    position: node.position,
    path: node.path,
  };
}

function keptColumns({ wanted, node, personal }: TableSource, dataset: Dataset, problems: ConfigProblem[]) {
  const list = valueOf(node, "columns");
  const named = list?.kind === "list" ? list.items.filter((item) => item.kind === "text") : [];
  for (const name of named) refuseColumn(name, dataset, personal, problems);
  return dataset.columns.filter((column) => {
    if (dataset.key.includes(column.name) || column.name === dataset.day) return true;
    const chosen = wanted.columns === undefined || wanted.columns.includes(column.name);
    return chosen && policyOf(column, personal) !== "drop";
  });
}

function refuseColumn(
  { text, shown, position, path }: LocatedText,
  { name, columns }: Dataset,
  personal: PersonalPolicy,
  problems: ConfigProblem[],
): void {
  const column = columns.find((one) => one.name === text);
  const known = columns.map((one) => one.name);
  if (column === undefined) {
    const message = `the dataset \`${name}\` has no column \`${shown}\`; expected ${orList(known)}.${didYouMean(text, known)}`;
    problems.push({ position, path, message });
  } else if (policyOf(column, personal) === "drop") {
    const message = `the column \`${text}\` is left out by \`personal: { ${column.personal}: drop }\`; expected another policy, or not to name it here`;
    problems.push({ position, path, message });
  }
}

function policyOf({ personal: kind }: Column, personal: PersonalPolicy): "keep" | "hash" | "drop" {
  return kind === undefined ? "keep" : personal[kind];
}

// A column is named by its name only, so one that is not in the text is not looked at.
function looksAt(where: RowFilter | undefined, { name }: Column): boolean {
  return where !== undefined && new RegExp(`\\b${name}\\b`).test(where.text);
}

function hashOf(columns: readonly string[], key: string): ColumnHash {
  return { columns: new Set(columns), of: (text) => createHmac("sha256", key).update(text).digest("hex") };
}

function selectionOf({ wanted, personal, from }: TableSource, hashed: readonly string[], where?: RowFilter) {
  const key =
    hashed.length === 0
      ? ""
      : createHmac("sha256", personal.hashKey ?? "")
          .update("")
          .digest("hex");
  const facts = JSON.stringify([from, wanted.name, where?.text ?? "", [...hashed].sort(), key]);
  return createHash("sha256").update(facts).digest("hex").slice(0, 12);
}
