import pg from "pg";
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import type { Lease } from "../../src/ledger/ledger.ts";
import type { PostgresLedger } from "../../src/ledger/postgres.ts";
import { openLedger } from "../../src/ledger/postgres.ts";
import { appendOf, failedFulfillment } from "../support/events.ts";
import type { FreshDatabase } from "../support/postgres.ts";
import { freshDatabase } from "../support/postgres.ts";
import type { TcpProxy } from "../support/tcp-proxy.ts";
import { openTcpProxy } from "../support/tcp-proxy.ts";

const leaseMs = 90_000;
let database: FreshDatabase;
let admin: pg.Client;

beforeEach(async () => {
  database = await freshDatabase();
  admin = new pg.Client({ connectionString: database.url });
  await admin.connect();
});
afterEach(async () => {
  await admin.end();
  await database.drop();
});

/** A ledger by way of a proxy of its own, so that its process can be cut off. */
async function openBehindProxy(): Promise<{ ledger: PostgresLedger; proxy: TcpProxy }> {
  const proxy = await openTcpProxy(database.url);
  const ledger = await openLedger({
    databaseUrl: proxy.url,
    maxWaitingAppends: 10,
    onError: () => undefined,
  });
  onTestFinished(async () => {
    proxy.heal();
    await ledger.close();
    await proxy.close();
  });
  return { ledger, proxy };
}

async function leaseOne(ledger: PostgresLedger, lane: string): Promise<Lease> {
  await ledger.append(appendOf(failedFulfillment(lane, "1", { subject: lane })));
  const claim = await ledger.claim("desk", [lane], leaseMs);
  if (claim.kind !== "leased") throw new Error("the target is paused");
  return claim.lanes[0]?.lease as Lease;
}

const namesOf = async (ledger: PostgresLedger): Promise<readonly string[]> =>
  (await ledger.dueLanes(100, { dueForMs: 0 })).map(({ lane }) => lane);

describe("the lanes of a process", () => {
  it("are free as soon as it is gone, long before their leases run out", async () => {
    const { ledger: gone, proxy } = await openBehindProxy();
    const { ledger: heir } = await openBehindProxy();
    const lease = await leaseOne(gone, "of the gone");
    expect(await namesOf(heir)).toEqual([]);
    // What PostgreSQL sees of a SIGKILL: every connection closes.
    await proxy.cut();
    await expect.poll(() => namesOf(heir), { timeout: 10_000 }).toEqual(["of the gone"]);
    const claim = await heir.claim("desk", ["of the gone"], leaseMs);
    expect(claim).toMatchObject({ kind: "leased", lanes: [{ lease: { lane: "of the gone" } }] });
    await proxy.restore();
    await expect
      .poll(() => gone.renew(lease, leaseMs).catch((error: unknown) => error))
      .toMatchObject({
        code: "lease_lost",
      });
  });

  it("stay its own behind a network that lets nothing through, for their time", async () => {
    const { ledger: cutOff, proxy } = await openBehindProxy();
    const { ledger: other } = await openBehindProxy();
    const lease = await leaseOne(cutOff, "behind the hole");
    proxy.blackHole();
    await expect.poll(() => lease.isCertain(), { timeout: 15_000 }).toBe(false);
    expect(await namesOf(other)).toEqual([]);
    expect(await other.claim("desk", ["behind the hole"], leaseMs)).toEqual({ kind: "leased", lanes: [] });
    proxy.heal();
    await expect
      .poll(
        () =>
          cutOff.ping().then(
            () => true,
            () => false,
          ),
        { timeout: 10_000 },
      )
      .toBe(true);
  });

  it("are to be renewed before anything is sent once PostgreSQL has ended the session that vouches for them", async () => {
    const { ledger } = await openBehindProxy();
    const lease = await leaseOne(ledger, "of the ended");
    expect(lease.isCertain()).toBe(true);
    await admin.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'deskbridge-holder' and datname = current_database()",
    );
    await expect.poll(() => lease.isCertain()).toBe(false);
    // Nobody has taken the lane yet: it can be had again, and what is leased from now on is certain.
    await expect(ledger.renew(lease, leaseMs)).resolves.toMatchObject({ fence: lease.fence });
    await expect
      .poll(async () => (await leaseOne(ledger, `later ${performance.now()}`)).isCertain())
      .toBe(true);
    expect(await namesOf(ledger)).toEqual(["of the ended"]);
    await expect(ledger.renew(lease, leaseMs)).rejects.toMatchObject({ code: "lease_lost" });
  });
});
