import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createDatasetCopies, readWhole } from "../support/dataset-copy.ts";
import type { DatasetCopy, Table } from "../support/dataset-copy.ts";
import type { DeskStand } from "../support/desk.ts";
import { openDeskStand } from "../support/desk.ts";
import { acts, createTraffic } from "../support/desk-traffic.ts";

let stand: DeskStand;

beforeAll(async () => {
  stand = await openDeskStand();
});
afterAll(() => stand.close());

const rowsOf = (table: Table): Readonly<Record<string, unknown>> => Object.fromEntries(table);

/** What a transaction of anybody else holds back is in the feed a little later. */
const patience = { timeout: 10_000, interval: 5 };

/** The copy is what one read from the beginning has, and what a read of all days has; returns how many rows that are. */
async function expectExact(copy: DatasetCopy): Promise<number> {
  const { dataset, table } = copy;
  const whole = rowsOf(await readWhole(stand, dataset));
  const caughtUp = async (): Promise<unknown> => {
    await copy.catchUp(3);
    return [dataset, rowsOf(table)];
  };
  await expect.poll(caughtUp, patience).toEqual([dataset, whole]);
  const days = await readWhole(stand, dataset, { from: "2026-01-01", until: "2100-01-01", limit: 7 });
  expect([dataset, rowsOf(days)]).toEqual([dataset, whole]);
  return table.size;
}

describe("datasets", () => {
  it(
    "that are brought up to date now and then are what one read has, whatever happened",
    { timeout: 300_000 },
    async () => {
      let compared = 0;
      const traffic = createTraffic(stand);
      const reads = fc.record({ limit: fc.constantFrom(1, 2, 3, 10, 50_000), odds: fc.nat(3) });
      await fc.assert(
        fc.asyncProperty(fc.array(fc.tuple(acts, reads), { minLength: 20, maxLength: 80 }), async (steps) => {
          const copies = createDatasetCopies(stand);
          for (const [act, { limit, odds }] of steps) {
            await act(traffic);
            // Some only a page of it: the rest is read after what happens next.
            if (odds === 0) for (const copy of copies) await copy.catchUp(limit);
            if (odds === 1) for (const copy of copies) await copy.step(limit);
          }
          for (const copy of copies) compared += await expectExact(copy);
        }),
        { numRuns: 15, endOnFailure: true },
      );
      expect(compared).toBeGreaterThan(1000);
      expect(traffic.count()).toBeGreaterThan(300);
    },
  );
});
