import { requireScope } from "./authorize.ts";
import { columnsOf, findDataset } from "./dataset.ts";
import type { DatasetPlace } from "./dataset-place.ts";
import { formatPlace, parsePlace } from "./dataset-place.ts";
import type { Call, Route, RowsAnswer } from "./route.ts";
import { rowsRoute } from "./route.ts";
import type { DatasetQuery } from "./schema-dataset.ts";
import { datasetQuery } from "./schema-dataset.ts";
import type { DeskStore } from "./store/store.ts";

async function readPage(
  { params, query, caller }: Call<DatasetQuery, undefined>,
  store: DeskStore,
): Promise<RowsAnswer> {
  const { name: dataset, scope, ...rest } = findDataset(params.dataset ?? "");
  requireScope(caller, scope);
  const columns = columnsOf({ name: dataset, ...rest }, query.columns);
  const place = query.after === undefined ? daysOf(query) : parsePlace(dataset, query.after);
  const page = await store.datasets.read({ dataset, place, columns, limit: query.limit });
  return {
    rows: page.rows,
    headers: {
      "deskbridge-part": page.part,
      "deskbridge-next-cursor": formatPlace(dataset, page.next),
      "deskbridge-has-more": String(page.more),
      ...(page.asOf === undefined ? {} : { "deskbridge-as-of": new Date(page.asOf).toISOString() }),
      ...(page.fraction === undefined ? {} : { "deskbridge-fraction": page.fraction.toFixed(4) }),
      ...(page.preparing === undefined ? {} : { "deskbridge-preparing": page.preparing.toFixed(4) }),
    },
  };
}

function daysOf({ from, until }: DatasetQuery): DatasetPlace | undefined {
  return from === undefined || until === undefined ? undefined : { kind: "days", from, until, key: "" };
}

/** Whole tables of the desk, for warehouses. */
export const datasetRoutes: readonly Route[] = [
  rowsRoute({
    method: "GET",
    path: "/v1/datasets/{dataset}",
    // Each dataset takes the scope of its objects.
    scope: null,
    summary: "Read a dataset: all of it, what changed since, or some days",
    query: datasetQuery,
    answers: {},
    rows: readPage,
  }),
];
