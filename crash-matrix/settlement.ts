import { setTimeout as pause } from "node:timers/promises";
import pg from "pg";
import type { Progress } from "./progress.ts";

/** What the ledger of a run holds. */
export interface LedgerState {
  readonly events: number;
  readonly pending: number;
  readonly over: number;
  readonly dead: number;
}

const text = `select (select count(*)::int from deskbridge.event) as events,
  count(*) filter (where status = 0)::int as pending, count(*) filter (where status <> 0)::int as over,
  count(*) filter (where status = 3)::int as dead
from deskbridge.delivery`;

const askEveryMs = 50;

/**
 * Waits until the ledger has so many events and nothing is pending, and resolves with its last state in any case: also when nothing has gone
 * on for `idleMs`. Asks PostgreSQL directly, and goes on asking while it is away.
 */
export async function untilSettled(
  databaseUrl: string,
  events: number,
  progress: Progress,
  idleMs: number,
): Promise<LedgerState> {
  const reader = createReader(databaseUrl);
  let state: LedgerState = { events: 0, pending: 0, over: 0, dead: 0 };
  let most = 0;
  try {
    for (;;) {
      state = (await reader.read()) ?? state;
      if (state.events >= events && state.pending === 0) return state;
      // Both only ever grow, and only so far: who waits for them comes to an end.
      if (state.events + state.over > most) progress.note();
      most = Math.max(most, state.events + state.over);
      if (progress.idleMs() > idleMs) return state;
      await pause(askEveryMs);
    }
  } finally {
    await reader.close();
  }
}

/** Reads over one connection for as long as it holds, and over the next one after that. */
function createReader(databaseUrl: string) {
  let client: pg.Client | undefined;
  const close = async (): Promise<void> => {
    const last = client;
    client = undefined;
    await last?.end().catch(() => undefined);
  };
  return {
    close,
    read: async (): Promise<LedgerState | undefined> => {
      try {
        client ??= await connect(databaseUrl);
        return (await client.query<LedgerState>(text)).rows[0];
      } catch {
        await close();
        return undefined;
      }
    },
  };
}

async function connect(connectionString: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: 2000, query_timeout: 5000 });
  client.on("error", () => undefined);
  await client.connect();
  return client;
}
