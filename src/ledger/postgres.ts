import { randomUUID } from "node:crypto";
import type { Pool } from "pg";
import { AppError } from "../errors.ts";
import { appendBatch, appendPage } from "./append.ts";
import { createBatcher } from "./batcher.ts";
import { createDeliveryDataset } from "./delivery-dataset.ts";
import { createEffects } from "./effects.ts";
import { createExportLedger } from "./export-right.ts";
import { isUnavailable, repeatOnDeadlock, toLedgerError } from "./fault.ts";
import type { LeaseHolder } from "./holder.ts";
import { createLeaseHolder, freeLanesOfTheGone, ownerOf } from "./holder.ts";
import type { ClaimRequest, OwnedLease, SettleRequest } from "./lanes.ts";
import { claimBatch, settleBatch } from "./lanes.ts";
import type { AppendItem, Claim, Ledger } from "./ledger.ts";
import { migrate } from "./migrate.ts";
import { openPool } from "./pool.ts";
import { createTokenStore } from "./tokens.ts";
import {
  dueLanes,
  giveUp,
  heldLanes,
  pauseTarget,
  prune,
  readCursor,
  readReceipts,
  releaseLeases,
  renewLease,
} from "./upkeep.ts";

export const ledgerSchema = "deskbridge";

interface LedgerOptions {
  readonly databaseUrl: string;
  /** Appends that may wait before one more is refused with `ledger_busy`. */
  readonly maxWaitingAppends: number;
  /** No other process works on this database: leases found in it are of one that is gone, and are dropped rather than waited out. */
  readonly sole?: boolean;
  /** Called with every error of an idle connection; the pool replaces the connection by itself. */
  readonly onError: (error: Error) => void;
}

/** The ledger and the pools that it stands on; `pool` is for readers and for what else keeps its state in the same database. */
export interface PostgresLedger extends Ledger {
  readonly pool: Pool;
}

async function guarded<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await repeatOnDeadlock(run);
  } catch (error) {
    throw toLedgerError(error);
  }
}

/** Opens the ledger, bringing its schema up to date first (under an advisory lock, so any number of processes may start at once). */
export async function openLedger(options: LedgerOptions): Promise<PostgresLedger> {
  const { databaseUrl, onError } = options;
  const settings = `-c search_path=${ledgerSchema}`;
  const durable = openPool(databaseUrl, {
    max: 8,
    applicationName: "deskbridge",
    options: settings,
    onError,
  });
  // Leases are worth nothing after a crash, so handing them out never waits for the disk.
  const relaxed = openPool(databaseUrl, {
    max: 4,
    applicationName: "deskbridge-lanes",
    options: `${settings} -c synchronous_commit=off`,
    onError,
  });
  const holder = createLeaseHolder(databaseUrl);
  const close = async (): Promise<void> => {
    await Promise.all([holder.close(), durable.end(), relaxed.end()]);
  };
  try {
    await guarded(() =>
      migrate(durable, { schema: ledgerSchema, directory: new URL("./migrations/", import.meta.url) }),
    );
    if (options.sole === true)
      await guarded(() => durable.query("delete from lane_lease; delete from export_lease"));
  } catch (error) {
    await close();
    throw error;
  }
  return { ...createLedger({ durable, relaxed, holder }, options.maxWaitingAppends), pool: durable, close };
}

type OpenedLedger = Omit<PostgresLedger, "pool" | "close">;

interface Parts {
  readonly durable: Pool;
  readonly relaxed: Pool;
  readonly holder: LeaseHolder;
}

function createLedger(parts: Parts, maxWaiting: number): OpenedLedger {
  const { durable, relaxed } = parts;
  const appends = createBatcher({
    maxItems: 256,
    maxWaiting,
    parallel: 1,
    isShared: isUnavailable,
    run: (items: readonly AppendItem[]) => guarded(() => appendBatch(durable, items)),
  });
  return {
    append: (item) => appends.submit(item),
    waitingAppends: () => appends.waiting(),
    appendPage: (items, move) => guarded(() => appendPage(durable, items, move)),
    cursor: (connection, source) => guarded(() => readCursor(durable, connection, source)),
    ...createLanes(parts),
    effectLog: createEffects({ durable, relaxed, guarded }),
    pauseTarget: (target, forMs, reason) => guarded(() => pauseTarget(durable, target, forMs, reason)),
    dueLanes: (limit, options) =>
      guarded(async () => {
        await freeLanesOfTheGone(relaxed);
        return dueLanes(relaxed, limit, options);
      }),
    exports: createExportLedger({ durable, holder: parts.holder, guarded }),
    deliveries: createDeliveryDataset(durable, guarded),
    tokens: (connection) => createTokenStore(durable, connection, guarded),
    giveUp: (target) => guarded(() => giveUp(durable, target)),
    prune: (before, batch, signal) => guarded(() => prune(durable, before, batch, signal)),
    receipts: (sequence, flow, target) => guarded(() => readReceipts(durable, sequence, flow, target)),
    heldLanes: () => guarded(() => heldLanes(durable)),
    ping: () => guarded(async () => void (await durable.query("select 1"))),
  };
}

/** Every claim has an owner of its own, which names the holder that vouches for it. */
function claimAs(holder: LeaseHolder, relaxed: Pool) {
  const process = randomUUID();
  let claims = 0;
  return async (requests: readonly ClaimRequest[]): Promise<readonly Claim[]> => {
    claims += 1;
    const claim = `${process}:${claims}`;
    const number = await holder.number();
    const isCertain = (): boolean => holder.vouchesFor(number);
    return guarded(() => claimBatch(relaxed, requests, ownerOf(number, claim), isCertain));
  };
}

function createLanes({
  durable,
  relaxed,
  holder,
}: Parts): Pick<OpenedLedger, "claim" | "settle" | "renew" | "release"> {
  const shared = { maxWaiting: Number.POSITIVE_INFINITY, isShared: isUnavailable };
  const claimer = createBatcher({ ...shared, maxItems: 16, parallel: 2, run: claimAs(holder, relaxed) });
  const settler = createBatcher({
    ...shared,
    maxItems: 256,
    parallel: 1,
    // Nobody waits for a result to be on disk but the lane itself: under load fewer and larger statements are worth a few milliseconds.
    gatherMs: 5,
    run: (items: readonly SettleRequest[]) => guarded(() => settleBatch(durable, items)),
  });
  const releaser = createBatcher({
    ...shared,
    maxItems: 256,
    parallel: 1,
    run: async (items: readonly OwnedLease[]) => {
      await guarded(() => releaseLeases(relaxed, items));
      return items.map(() => undefined);
    },
  });
  return {
    claim: async (target, lanes, leaseMs) => {
      const claim = await claimer.submit({ target, lanes, leaseMs });
      if (claim.kind === "paused") return claim;
      const empty = claim.lanes.filter((lane) => lane.mail.length === 0);
      await Promise.all(empty.map((lane) => releaser.submit(lane.lease as OwnedLease)));
      return { kind: "leased", lanes: claim.lanes.filter((lane) => lane.mail.length > 0) };
    },
    settle: async (lease, settlements, leaseMs) => {
      const settled = await settler.submit({ lease: lease as OwnedLease, settlements, leaseMs });
      if (settled instanceof AppError) throw settled;
      return settled;
    },
    renew: (lease, leaseMs) => guarded(() => renewLease(relaxed, lease as OwnedLease, leaseMs)),
    release: (lease) => releaser.submit(lease as OwnedLease),
  };
}
