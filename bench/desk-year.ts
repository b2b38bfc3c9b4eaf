import pg from "pg";
import { pino } from "pino";
import { openDesk } from "../src/desk/desk.ts";
import * as statement from "./desk-year-statements.ts";

interface DeskYearOptions {
  /** Of a database on which the desk has been opened before. */
  readonly databaseUrl: string;
  readonly tickets: number;
  readonly rounds: number;
  readonly seed: number;
  /** Milliseconds since the epoch. */
  readonly begins: number;
}

/** A year of a desk, brought about stretch by stretch. */
export interface DeskYear {
  /** What happens in the next stretch: new tickets, messages and changes of old ones, merges, erasures. Resolves with the rows and calls it took. */
  readonly advance: () => Promise<number>;
  /** Writes messages and commits them only when the function that it gives is called: what came before that in the feed is not all there is. */
  readonly holdBack: () => Promise<() => Promise<void>>;
  readonly close: () => Promise<void>;
}

const daySeconds = 86_400;
const yearSeconds = 365 * daySeconds;
/** Transactions that each kind of row of a stretch is spread over. */
const batches = 4;

const settings = [
  "search_path=deskbridge_desk",
  "synchronous_commit=off",
  "statement_timeout=0",
  // random() is drawn in one order only.
  "max_parallel_workers_per_gather=0",
  "jit=off",
];

export async function openDeskYear(options: DeskYearOptions): Promise<DeskYear> {
  const connect = async (seed: number): Promise<pg.Client> => {
    const client = new pg.Client({
      connectionString: options.databaseUrl,
      options: settings.map((setting) => `-c ${setting}`).join(" "),
    });
    await client.connect();
    await client.query("select setseed($1)", [seed % 1]);
    return client;
  };
  const client = await connect(((options.seed * 7919) % 100_000) / 100_000);
  const late = await connect(((options.seed * 104_729) % 100_000) / 100_000);
  const perRound = Math.ceil(options.tickets / options.rounds);
  const seconds = yearSeconds / options.rounds;
  let round = 0;
  const begin = (): Date => new Date(options.begins + round * seconds * 1000);
  const run = async (text: string, count: number): Promise<number> => {
    let rows = 0;
    for (let batch = 0; batch < batches; batch += 1) {
      rows += (await client.query(text, [Math.ceil(count / batches), begin(), seconds])).rowCount ?? 0;
    }
    return rows;
  };
  return {
    advance: async () => {
      let rows = await run(statement.contacts, perRound / 4);
      rows += await run(statement.orders, perRound / 2);
      rows += await run(statement.tickets, perRound);
      rows += await run(statement.messages, perRound * 3);
      rows += await run(statement.transitions, perRound);
      rows += await run(statement.fields, perRound / 3);
      rows += await run(statement.orderStates, perRound / 5);
      rows += await callDesk(client, Math.ceil(perRound / 100));
      round += 1;
      return rows;
    },
    holdBack: async () => {
      await late.query("begin");
      await late.query(statement.messages, [Math.ceil(perRound / 20), begin(), seconds]);
      return async () => void (await late.query("commit"));
    },
    close: async () => {
      await client.end();
      await late.end();
    },
  };
}

/** Brings the desk's schema up, so that a desk can be written before it is opened. */
export async function prepareDesk(databaseUrl: string): Promise<void> {
  const desk = await openDesk({ databaseUrl, logger: pino({ level: "silent" }), now: Date.now });
  await desk.close();
}

/** By the desk's own functions; what it refuses (a contact that is gone, a merge in a circle) does not happen. */
async function callDesk(client: pg.Client, each: number): Promise<number> {
  const { rows } = await client.query<{ operation: string; argument: object }>(statement.calls, [each]);
  let made = 0;
  for (const { operation, argument } of rows) {
    try {
      await client.query("select status from write($1, $2, 'key_1', 'all', null, null)", [
        operation,
        argument,
      ]);
      made += 1;
    } catch (error) {
      if (!(error instanceof pg.DatabaseError) || error.code?.startsWith("DK") !== true) throw error;
    }
  }
  return made;
}
