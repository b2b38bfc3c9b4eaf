import { setTimeout as pause } from "node:timers/promises";
import pg from "pg";

/** What the ledger of a run holds. */
export interface LedgerState {
  readonly events: number;
  readonly pending: number;
  readonly dead: number;
}

const text = `select (select count(*)::int from deskbridge.event) as events,
  count(*) filter (where status = 0)::int as pending, count(*) filter (where status = 3)::int as dead
from deskbridge.delivery`;

const askEveryMs = 50;

/**
 * Waits until the ledger has so many events and nothing is pending, and resolves with its last state in any case: also when that took too
 * long. Asks PostgreSQL directly, and goes on asking while it is away.
 */
export async function untilSettled(
  databaseUrl: string,
  events: number,
  withinMs: number,
): Promise<LedgerState> {
  const until = performance.now() + withinMs;
  let state: LedgerState = { events: 0, pending: 0, dead: 0 };
  for (;;) {
    state = (await read(databaseUrl)) ?? state;
    const settled = state.events >= events && state.pending === 0;
    if (settled || performance.now() > until) return state;
    await pause(askEveryMs);
  }
}

async function read(databaseUrl: string): Promise<LedgerState | undefined> {
  const client = new pg.Client({
    connectionString: databaseUrl,
    connectionTimeoutMillis: 2000,
    query_timeout: 5000,
  });
  client.on("error", () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<LedgerState>(text);
    return rows[0];
  } catch {
    return undefined;
  } finally {
    await client.end().catch(() => undefined);
  }
}
