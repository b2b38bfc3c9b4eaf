import { AppError } from "deskbridge/sdk";
import type { RowBatch } from "deskbridge/sdk";
import { listed } from "./column.ts";
import type { Session } from "./session.ts";

/** Copies the rows of a batch, given as CSV in chunks, into a table. Throws where the server took another number of them: an end that it saw where there was none would lose rows without a word. */
export async function copyRows(
  session: Session,
  table: string,
  batch: RowBatch,
  csv: readonly Buffer[],
  ...options: readonly "FREEZE"[]
): Promise<void> {
  const names = listed(batch.columns.map(({ name }) => name));
  const taken = await session.copyIn(
    `COPY ${table} (${names}) FROM STDIN (${["FORMAT csv", "ENCODING 'UTF8'", ...options].join(", ")})`,
    csv,
  );
  if (taken === batch.count) return;
  throw new AppError("target_protocol", `PostgreSQL took ${taken} of ${batch.count} rows.`);
}
