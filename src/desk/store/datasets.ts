import type { Readable } from "node:stream";
import type { Pool } from "pg";
import { AppError } from "../../errors.ts";
import type { DatasetPlace } from "../dataset-place.ts";
import { openCopy } from "./copy.ts";
import { readFigures } from "./dataset-figures.ts";
import type { DatasetRequest, PageFacts } from "./dataset-page.ts";
import { planTablePage } from "./dataset-table-page.ts";
import type { SharedBeginning } from "./dataset-window.ts";
import { createSharedBeginning } from "./dataset-window.ts";

/** A page with its rows. */
export interface DatasetPage extends PageFacts {
  /** CSV; undefined when there are none. */
  readonly rows: Readable | undefined;
}

/** Reads of whole datasets. */
export interface DatasetStore {
  /** The page of a place; throws `bad_request` for a place of another kind of dataset. Whoever gets it reads its rows, or destroys them. */
  readonly read: (request: DatasetRequest) => Promise<DatasetPage>;
  /** Breaks off every read. */
  readonly close: () => void;
}

export interface DatasetStoreOptions {
  /** For rows alone; see `openCopy`. */
  readonly rowPool: Pool;
  /** How long a page may take part in adding up figures by day that nobody has yet, in milliseconds. */
  readonly foldMs: number;
}

export function createDatasetStore(pool: Pool, options: DatasetStoreOptions): DatasetStore {
  const running = new Set<Readable>();
  const parts = { ...options, pool, begin: createSharedBeginning(pool) };
  return {
    read: async (request) => {
      const page = await readPage(parts, request);
      const { rows } = page;
      if (rows !== undefined) {
        running.add(rows);
        // Until they are sent nobody listens, and an unheard `error` ends the process.
        rows.on("error", () => undefined);
        rows.once("close", () => running.delete(rows));
      }
      return page;
    },
    close: () => {
      for (const rows of running) rows.destroy(new Error("the server is closing"));
    },
  };
}

interface Parts extends DatasetStoreOptions {
  readonly pool: Pool;
  readonly begin: SharedBeginning;
}

async function readPage(parts: Parts, request: DatasetRequest): Promise<DatasetPage> {
  const { pool, rowPool, foldMs } = parts;
  const { dataset, place } = request;
  if (dataset === "metrics_daily") {
    if (place?.kind === "all" || place?.kind === "changes") throw foreignPlace(place);
    return readFigures(pool, { ...request, place }, foldMs);
  }
  if (place?.kind === "figures") throw foreignPlace(place);
  const { select, ...page } = await planTablePage(parts, { ...request, dataset, place });
  return { ...page, rows: select === undefined ? undefined : await openCopy(rowPool, select) };
}

function foreignPlace({ kind }: DatasetPlace): AppError {
  return new AppError(
    "bad_request",
    `the cursor is of another kind of read (${kind}); use the header as it came`,
  );
}
