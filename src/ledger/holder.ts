import { randomInt } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { Client } from "pg";
import type { Pool } from "pg";

/** Sets our advisory locks apart from everybody else's in the database. */
const lockClass = 1_684_366_952;
const mostNumber = 2 ** 31 - 1;

const checkEveryMs = 2000;
const answerMs = 5000;
const againMs = 1000;

/**
 * Vouches for this process with a session of PostgreSQL's: for as long as the session lives, an advisory lock under a number of its own is
 * held, and PostgreSQL itself gives it up when the process dies. Leases are taken under that number, so those of a process that is gone
 * are known from those of one that is merely slow.
 */
export interface LeaseHolder {
  /** The number to take leases under; 0 while nothing vouches for the process. Waits for the first session to be tried. */
  readonly number: () => Promise<number>;
  /** Whether a lease taken under that number can have been given to others before its time is up. */
  readonly vouchesFor: (number: number) => boolean;
  readonly close: () => Promise<void>;
}

/** Makes a holder. It connects when it is first asked for its number, and again, under another number, whenever its session is lost. */
export function createLeaseHolder(databaseUrl: string): LeaseHolder {
  const stop = new AbortController();
  let current = 0;
  let firstTried: Promise<void> | undefined;
  let over: Promise<void> = Promise.resolve();

  const hold = async (tried: () => void): Promise<void> => {
    while (!stop.signal.aborted) {
      const session = await openSession(databaseUrl).catch(() => undefined);
      current = session?.number ?? 0;
      tried();
      await session?.untilLost(stop.signal);
      current = 0;
      await session?.end();
      await pause(againMs, undefined, { signal: stop.signal }).catch(() => undefined);
    }
  };
  return {
    number: async () => {
      firstTried ??= new Promise((resolve) => {
        over = hold(resolve);
      });
      await firstTried;
      return current;
    },
    // What was taken without a session is nobody's to free, so its time alone counts.
    vouchesFor: (number) => number === 0 || number === current,
    close: async () => {
      stop.abort();
      await over;
    },
  };
}

interface Session {
  readonly number: number;
  /** Resolves when the lock is no longer known to be held, or the signal is aborted. */
  readonly untilLost: (signal: AbortSignal) => Promise<void>;
  readonly end: () => Promise<void>;
}

async function openSession(databaseUrl: string): Promise<Session> {
  const client = new Client({
    connectionString: databaseUrl,
    application_name: "deskbridge-holder",
    connectionTimeoutMillis: answerMs,
    query_timeout: answerMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  });
  const lost = new AbortController();
  client.on("error", () => lost.abort());
  client.on("end", () => lost.abort());
  const end = async (): Promise<void> => {
    // A connection that is dead without a word would not say goodbye either.
    await Promise.race([client.end().catch(() => undefined), pause(againMs, undefined, { ref: false })]);
  };
  try {
    await client.connect();
    const number = await takeNumber(client);
    const untilLost = async (signal: AbortSignal): Promise<void> => {
      const either = AbortSignal.any([signal, lost.signal]);
      do {
        await pause(checkEveryMs, undefined, { signal: either, ref: false }).catch(() => undefined);
      } while (!either.aborted && (await holds(client, number)));
    };
    return { number, untilLost, end };
  } catch (error) {
    await end();
    throw error;
  }
}

async function takeNumber(client: Client): Promise<number> {
  for (;;) {
    const number = randomInt(1, mostNumber);
    const { rows } = await client.query<{ readonly taken: boolean }>(
      "select pg_try_advisory_lock($1, $2) as taken",
      [lockClass, number],
    );
    if (rows[0]?.taken === true) return number;
  }
}

/** Asks whether the lock is held by the very session that is asked: behind a pooler it may be another one from one moment to the next. */
async function holds(client: Client, number: number): Promise<boolean> {
  try {
    const { rows } = await client.query(
      "select 1 from pg_locks where locktype = 'advisory' and classid = $1 and objid = $2 and objsubid = 2 and granted and pid = pg_backend_pid()",
      [lockClass, number],
    );
    return rows.length === 1;
  } catch {
    return false;
  }
}

/** A common table expression, `alive`: the numbers of all holders whose session lives. */
export const aliveHolders = `alive as materialized (
  select k.objid::bigint as number from pg_locks k
  where k.locktype = 'advisory' and k.classid = ${lockClass} and k.objsubid = 2 and k.granted
    and k.database = (select oid from pg_database where datname = current_database())
)`;

const numberOf = (owner: string): string => `substring(${owner} from '^([1-9][0-9]*):')`;

/** A condition for statements with `aliveHolders`: false of an owner that is known to be gone. */
export function isHeldAlive(owner: string): string {
  return `(${numberOf(owner)} is null or exists (select 1 from alive a where a.number::text = ${numberOf(owner)}))`;
}

const freeText = `
with ${aliveHolders}
delete from lane_lease l where not ${isHeldAlive("l.owner")}`;

/** Frees the lanes of processes that are gone; returns how many there were. */
export async function freeLanesOfTheGone(pool: Pool): Promise<number> {
  const { rowCount } = await pool.query({ name: "free", text: freeText });
  return rowCount ?? 0;
}

/** The owner that a claim writes into its leases: the holder's number first, then what tells the claim from every other one. */
export function ownerOf(number: number, claim: string): string {
  return `${number}:${claim}`;
}
