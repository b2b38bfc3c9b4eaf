import { expect, it, onTestFinished } from "vitest";
import { AppError } from "../../src/errors.ts";
import { openLedger } from "../../src/ledger/postgres.ts";
import { createSharedToken } from "../../src/sdk/token.ts";
import { freshDatabase } from "../support/postgres.ts";

async function openLedgers(count: number) {
  const database = await freshDatabase();
  onTestFinished(database.drop);
  const open = () =>
    openLedger({ databaseUrl: database.url, maxWaitingAppends: 10, onError: () => undefined });
  const ledgers = [await open()];
  while (ledgers.length < count) ledgers.push(await open());
  for (const ledger of ledgers) onTestFinished(ledger.close);
  return ledgers;
}

it("one of several processes fetches a connection's token; another connection has its own", async () => {
  const ledgers = await openLedgers(3);
  const fetched: string[] = [];
  const tokenOf = (connection: string) =>
    ledgers.map((ledger) =>
      createSharedToken({
        store: ledger.tokens(connection),
        now: () => 0,
        source: {
          sealedWith: "s",
          fetch: async () => {
            fetched.push(connection);
            await new Promise((resolve) => setTimeout(resolve, 20));
            return { value: `of ${connection}`, endsAt: 1 };
          },
        },
      }),
    );
  const values = await Promise.all([...tokenOf("desk"), ...tokenOf("crm")].map((token) => token.current()));
  expect(values).toEqual(["of desk", "of desk", "of desk", "of crm", "of crm", "of crm"]);
  expect(fetched.toSorted()).toEqual(["crm", "desk"]);
});

it("what the vendor says to a fetch reaches the caller as it is, and the next one may try", async () => {
  const [ledger] = await openLedgers(1);
  const store = ledger!.tokens("desk");
  const refusal = new AppError("target_unauthorized", "the client is unknown");
  await expect(store.exchange(async () => Promise.reject(refusal))).rejects.toBe(refusal);
  expect(await store.exchange(async (kept) => kept ?? "none was kept")).toBe("none was kept");
});
