import { AppError } from "../errors.ts";
import { datasetCatalogue } from "../model/dataset-catalogue.ts";
import type { Dataset } from "../model/dataset.ts";
import { nearestName } from "../sdk/nearest-name.ts";
import type { Scope } from "./scope.ts";

/** The scope that it takes to read each dataset of the desk: that of its objects. */
const scopeByDataset = {
  tickets: "tickets:read",
  messages: "tickets:read",
  contacts: "contacts:read",
  orders: "orders:read",
  ticket_orders: "tickets:read",
  ticket_events: "tickets:read",
  ticket_metrics: "tickets:read",
  metrics_daily: "metrics:read",
} as const satisfies Partial<Record<Dataset["name"], Scope>>;

/** A dataset that the desk has. */
export type DeskDataset = keyof typeof scopeByDataset;

export const deskDatasets = Object.keys(scopeByDataset) as readonly DeskDataset[];

/** The dataset of an address, with the scope that it takes; throws `not_found`. */
export function findDataset(name: string): Dataset & { readonly name: DeskDataset; readonly scope: Scope } {
  const known = deskDatasets.find((one) => one === name);
  if (known !== undefined) return { ...datasetCatalogue[known], name: known, scope: scopeByDataset[known] };
  throw new AppError("not_found", `there is no dataset of this name; there are ${deskDatasets.join(", ")}`);
}

/** The columns that a request names, all of them unless told; throws `bad_request`. */
export function columnsOf(dataset: Dataset, asked: string | undefined): readonly string[] {
  const names = dataset.columns.map(({ name }) => name);
  if (asked === undefined) return names;
  const columns = asked.split(",");
  const unknown = columns.find((name) => !names.includes(name));
  if (unknown !== undefined) {
    const near = nearestName(unknown, names);
    throw refusal(`${dataset.name} has no such column${near === undefined ? "" : `; did you mean ${near}?`}`);
  }
  if (new Set(columns).size < columns.length) throw refusal("names a column twice");
  return columns;
}

function refusal(message: string): AppError {
  const fields = [{ path: "columns", message }];
  return new AppError("bad_request", `the query is not valid: columns: ${message}`, { details: { fields } });
}
