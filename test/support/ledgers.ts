import { onTestFinished } from "vitest";
import type { PostgresLedger } from "../../src/ledger/postgres.ts";
import { openLedger } from "../../src/ledger/postgres.ts";
import { freshDatabase } from "./postgres.ts";

/** The ledgers of so many processes on one database of the test's own. */
export async function openLedgers(count: number): Promise<{
  readonly url: string;
  readonly ledgers: readonly [PostgresLedger, ...PostgresLedger[]];
}> {
  const database = await freshDatabase();
  onTestFinished(database.drop);
  const open = async (): Promise<PostgresLedger> => {
    const ledger = await openLedger({
      databaseUrl: database.url,
      maxWaitingAppends: 10,
      onError: () => undefined,
    });
    onTestFinished(ledger.close);
    return ledger;
  };
  const ledgers: [PostgresLedger, ...PostgresLedger[]] = [await open()];
  while (ledgers.length < count) ledgers.push(await open());
  return { url: database.url, ledgers };
}
