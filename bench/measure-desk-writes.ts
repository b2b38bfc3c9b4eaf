import { openDesk } from "../src/desk/desk.ts";
import { pino } from "pino";
import { startChild } from "./calls.ts";
import type { Child } from "./calls.ts";
import type { DeskHandlers } from "./child-desk.ts";
import type { DeskWriterHandlers, WriteFigures, WriteTarget } from "./child-desk-writer.ts";
import type { WriteKind } from "./desk-write.ts";
import { ticketsForMessages } from "./desk-write.ts";
import { CountError } from "./count-check.ts";
import type { Database } from "./database.ts";
import type { DatabaseStage } from "./database-stage.ts";
import { openDatabaseStage } from "./database-stage.ts";

export interface DeskWritesOptions {
  /** In each round of each kind, after the warm-up. */
  readonly writes: number;
  readonly clients: number;
  readonly rounds: number;
  readonly note: (line: string) => void;
}

/** One kind of write, round by round. */
export interface DeskWritesFigures {
  readonly kind: WriteKind;
  readonly api: readonly WriteFigures[];
  readonly sql: readonly WriteFigures[];
}

const kinds = ["upserts", "messages"] as const;
const tables = ["contact", "contact_identity", "ticket", "ticket_ref", "message", "message_ref", "change"];

/**
 * Writes the same to the Support API and straight into the same tables of another database on the same PostgreSQL, in turn, from as many clients.
 * Fails with `CountError` when the two do not come to the same numbers of rows.
 */
export async function measureDeskWrites(options: DeskWritesOptions): Promise<readonly DeskWritesFigures[]> {
  const stage = await openDatabaseStage();
  const desk = startChild<DeskHandlers>("./child-desk.ts");
  const writer = startChild<DeskWriterHandlers>("./child-desk-writer.ts");
  try {
    const figures: DeskWritesFigures[] = [];
    for (const kind of kinds) figures.push(await measureKind(kind, stage, { desk, writer }, options));
    return figures;
  } finally {
    await writer.stop();
    await desk.stop();
    await stage.close();
  }
}

interface Children {
  readonly desk: Child<DeskHandlers>;
  readonly writer: Child<DeskWriterHandlers>;
}

async function measureKind(
  kind: WriteKind,
  stage: DatabaseStage,
  { desk, writer }: Children,
  { writes, clients, rounds, note }: DeskWritesOptions,
): Promise<DeskWritesFigures> {
  const api: WriteFigures[] = [];
  const sql: WriteFigures[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const [forApi, forSql] = [await stage.freshDatabase(), await stage.freshDatabase()];
    await makeTables(forSql.url);
    const stand = await desk.call("open", forApi.url);
    const run = async (target: WriteTarget): Promise<WriteFigures> => {
      const job = { target, run: "r", clients };
      if (kind === "messages") {
        // Two blocks of 64 hold 64 tickets.
        const first = {
          ...job,
          kind: "upserts" as const,
          from: 0,
          count: Math.ceil(ticketsForMessages / 64) * 128,
        };
        await writer.call("run", first);
      }
      const warmUp = Math.max(1, Math.ceil(writes / 5 / 128)) * 128;
      await writer.call("run", { ...job, kind, from: 0, count: warmUp });
      return writer.call("run", { ...job, kind, from: warmUp, count: writes });
    };
    // In turn first and second, so that neither has the better place.
    const order = round % 2 === 0 ? (["sql", "api"] as const) : (["api", "sql"] as const);
    for (const side of order) {
      if (side === "api") api.push(await run(stand));
      else sql.push(await run({ databaseUrl: forSql.url }));
    }
    await compareRows(forApi, forSql);
    const rate = (figures: WriteFigures | undefined): number => Math.round(writes / (figures?.seconds ?? 0));
    note(`${kind}, round ${round + 1}: Support API ${rate(api.at(-1))}/s, bare SQL ${rate(sql.at(-1))}/s`);
    await forSql.drop();
    // The desk's own pool is still on it until the next one is opened.
  }
  return { kind, api, sql };
}

/** The desk's tables, by opening a desk once. */
async function makeTables(databaseUrl: string): Promise<void> {
  const desk = await openDesk({
    databaseUrl,
    logger: pino({ level: "silent" }),
    now: Date.now,
    maxConnections: 1,
  });
  await desk.close();
}

async function compareRows(one: Database, other: Database): Promise<void> {
  for (const table of tables) {
    const text = `select count(*)::int as rows from deskbridge_desk.${table}`;
    const [left, right] = await Promise.all(
      [one, other].map((database) => database.query<{ rows: number }>(text)),
    );
    const [api, sql] = [left?.[0]?.rows, right?.[0]?.rows];
    if (api !== sql) throw new CountError(`${table}: the Support API wrote ${api} rows, bare SQL ${sql}`);
  }
}
