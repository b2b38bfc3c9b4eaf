import pg from "pg";
import { AppError } from "../../src/errors.ts";

/** What happened to a ticket that the metrics look at, as it was done. Times are in seconds since the epoch. */
export interface TicketLog {
  readonly id: number;
  readonly createdAt: number;
  readonly turns: number[];
  readonly replies: number[];
  rating: { at: number; score: number } | undefined;
  merged: boolean;
}

/** Writes to a desk's database through its own functions, at times of its own choosing. */
export interface History {
  readonly tickets: readonly TicketLog[];
  /** Moves the clock on. */
  readonly wait: (seconds: number) => void;
  readonly create: (fields: object, isSolved: boolean) => Promise<void>;
  readonly message: (ticket: TicketLog, message: object, isReply: boolean) => Promise<void>;
  readonly setStatus: (ticket: TicketLog, status: "open" | "pending" | "solved" | "closed") => Promise<void>;
  readonly change: (ticket: TicketLog, fields: object) => Promise<void>;
  readonly rate: (ticket: TicketLog, score: number, close: boolean) => Promise<void>;
  readonly merge: (ticket: TicketLog, into: TicketLog) => Promise<void>;
  readonly write: (operation: string, input: object) => Promise<{ body: string }>;
  /** Takes every ticket away, with all that is known of it, and closes. */
  readonly wipe: () => Promise<void>;
}

// The functions of the desk ask for the time without naming a schema, so a clock that comes first in the search path is the one that they find.
const clockText = `
create schema if not exists test_clock;
create or replace function test_clock.clock_timestamp() returns timestamptz language sql volatile as $$
  select coalesce(nullif(current_setting('test.now', true), '')::timestamptz, pg_catalog.clock_timestamp())
$$;
create or replace function test_clock.now() returns timestamptz language sql volatile as $$ select test_clock.clock_timestamp() $$;
alter table deskbridge_desk.ticket alter column created_at set default test_clock.clock_timestamp();
alter table deskbridge_desk.message alter column created_at set default test_clock.clock_timestamp()`;

const isSolvedStatus = (status: string): boolean => status === "solved" || status === "closed";

/** Opens a history on the database of a desk, starting at `start`; the caller wipes it out. */
export async function openHistory(databaseUrl: string, start: number): Promise<History> {
  const client = new pg.Client({
    connectionString: databaseUrl,
    options: "-c search_path=test_clock,deskbridge_desk,pg_catalog -c enable_seqscan=off",
  });
  await client.connect();
  await client.query(clockText);
  let now = start;
  const tickets: TicketLog[] = [];
  const write = async (operation: string, input: object): Promise<{ body: string }> => {
    await client.query("select set_config('test.now', to_timestamp($1)::text, false)", [now]);
    const { rows } = await client.query<{ body: string }>(
      "select body from write($1, $2::jsonb, 'key_1', 'api', null, null)",
      [operation, JSON.stringify(input)],
    );
    const [row] = rows;
    if (row === undefined) throw new AppError("internal", "the write brought no answer");
    return row;
  };
  return {
    tickets,
    write,
    wait: (seconds) => {
      now += seconds;
    },
    create: async (fields, isSolved) => {
      const { body } = await write("create_ticket", {
        subject: "s",
        requester: { identities: [{ kind: "email", source: "", value: "ann@example.com" }] },
        ...fields,
        ...(isSolved ? { status: "solved" } : {}),
      });
      const { number } = JSON.parse(body) as { number: number };
      const turns = isSolved ? [now] : [];
      tickets.push({ id: number, createdAt: now, turns, replies: [], rating: undefined, merged: false });
    },
    message: async (ticket, message, isReply) => {
      await write("add_message", { ticket: ticket.id, message: { text: "t", ...message } });
      if (isReply) ticket.replies.push(now);
    },
    setStatus: async (ticket, status) => {
      await write("patch_ticket", { ticket: ticket.id, status });
      const wasSolved = ticket.turns.length % 2 === 1;
      if (isSolvedStatus(status) !== wasSolved) ticket.turns.push(now);
    },
    change: async (ticket, fields) => {
      await write("patch_ticket", { ticket: ticket.id, ...fields });
    },
    rate: async (ticket, score, close) => {
      await write("rate_ticket", { ticket: ticket.id, score, close });
      if (ticket.rating?.score !== score) ticket.rating = { at: now, score };
      if (close && ticket.turns.length % 2 === 0) ticket.turns.push(now);
    },
    merge: async (ticket, into) => {
      await write("merge_tickets", { ticket: ticket.id, into: into.id });
      ticket.merged = true;
    },
    wipe: async () => {
      await client.query(
        "truncate ticket, ticket_tag, ticket_order, message, change, ticket_metric, ticket_csat, metric_folded, metric_day, metric_flow, metric_gain",
      );
      await client.end();
    },
  };
}
