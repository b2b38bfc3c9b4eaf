import { AppError } from "../errors.ts";
import type { DatasetPage } from "../sdk/dataset-source.ts";
import type { RowChange } from "../sdk/row-batch.ts";

/** Does something with one of the two connections of an export; a fault of it then says which. */
export async function sideFaults<T>(connection: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw named(connection, error);
  }
}

/** Pages of a connection, whose faults then say that they are its. Leaving it ends the reading, as without it. */
export async function* sidePages(
  connection: string,
  pages: AsyncIterable<DatasetPage>,
): AsyncGenerator<DatasetPage> {
  try {
    for await (const page of pages) yield { ...page, changes: sideChanges(connection, page.changes) };
  } catch (error) {
    throw named(connection, error);
  }
}

async function* sideChanges(
  connection: string,
  changes: AsyncIterable<RowChange>,
): AsyncGenerator<RowChange> {
  try {
    yield* changes;
  } catch (error) {
    throw named(connection, error);
  }
}

/** What is no classified fault, such as the run's being stopped, is handed on as it is; so is what was named before. */
function named(connection: string, error: unknown): unknown {
  if (!(error instanceof AppError) || error.message.startsWith(`${connection}: `)) return error;
  const { code, message, details, retryAfterMs } = error;
  return new AppError(code, `${connection}: ${message}`, {
    cause: error.cause,
    details,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}
