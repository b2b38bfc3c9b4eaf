import deskbridge from "../../connectors/deskbridge/index.ts";
import gorgias from "../../connectors/gorgias/index.ts";
import zendesk from "../../connectors/zendesk/index.ts";
import { datasetCatalogue } from "../../src/model/dataset-catalogue.ts";
import type { Dataset, DatasetName } from "../../src/model/dataset.ts";
import type { ConnectorDefinition } from "../../src/sdk/index.ts";
import { createTestContext } from "../../src/sdk/testing/context.ts";

/** Desks that give datasets, with as much of a configuration as it takes to ask them which. */
const desks: readonly (readonly [definition: ConnectorDefinition, config: object])[] = [
  [deskbridge, { url: "http://127.0.0.1:9", apiKey: "key" }],
  [zendesk, { subdomain: "acme", accessToken: "token" }],
  [gorgias, { account: "acme", auth: { method: "key", email: "kim@example.com", apiKey: "key" } }],
];

async function givenBy([definition, config]: (typeof desks)[number]): Promise<readonly DatasetName[]> {
  const context = createTestContext();
  const connection = await definition.open(definition.config.parse(config), context);
  context.close();
  return connection.datasets?.datasets ?? [];
}

/** `docs/reference/datasets.md`. */
export async function datasetsPage(): Promise<string> {
  const datasets = Object.values<Dataset>(datasetCatalogue);
  const given = await Promise.all(desks.map(givenBy));
  const names = desks.map(([{ name }]) => name);
  return [
    "# Datasets",
    "\n<!-- Generated from src/model/dataset-catalogue.ts and the connectors by `npm run docs`. Edit it there. -->\n",
    "What can be exported: tables of rows with the same columns, whichever desk they come from. A read gives every row that has changed since the last one, however late, as it is",
    "then, and the keys of rows that are gone; an export puts them in place of what the warehouse has under the same key. Reading a stretch again changes nothing.",
    "",
    "- Ids are those of the desk, as text. Times are in UTC. Columns are only ever added.",
    "- The *day* of a row is that of a column that never changes: rows lie in the warehouse by it, and days can be read again by it.",
    "- *Personal* says what a column tells of people: who they are (`identity`), how they are reached (`contact`), or what was written by or about them (`content`). An export keeps,",
    "  hashes or drops each class.",
    "",
    "## Who gives what",
    "",
    row(["", ...names.map((name) => `[\`${name}\`](connectors/${name}.md#datasets)`)]),
    row(["---", ...names.map(() => ":-:")]),
    ...datasets
      .filter(({ name }) => name !== "deliveries")
      .map(({ name }) =>
        row([`[\`${name}\`](#${name})`, ...given.map((list) => (list.includes(name) ? "✓" : "–"))]),
      ),
    "",
    "[`deliveries`](#deliveries) is the record of the worker itself. What a desk cannot tell of a row is null; its page says what that is.",
    "",
    ...datasets.flatMap(sectionOf),
  ].join("\n");
}

function sectionOf({ name, description, key, day, columns }: Dataset): readonly string[] {
  return [
    `## \`${name}\``,
    "",
    description,
    "",
    `Key: ${key.map((one) => `\`${one}\``).join(", ")}. Day: \`${day}\`.`,
    "",
    row(["Column", "Type", "Null", "Personal", "What it is"]),
    row(["---", "---", "---", "---", "---"]),
    ...columns.map((column) =>
      row([
        `\`${column.name}\``,
        column.type,
        column.nullable ? "yes" : "",
        column.personal ?? "",
        column.description,
      ]),
    ),
    "",
  ];
}

function row(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}
