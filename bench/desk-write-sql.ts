import pg from "pg";
import type { DeskWrite, WriteKind } from "./desk-write.ts";
import { refSource } from "./desk-write.ts";

/** One client of the bare database: carries out one write at a time. */
export interface SqlClient {
  readonly write: (write: DeskWrite) => Promise<void>;
  readonly close: () => Promise<void>;
}

type Query = <R extends object>(
  name: string,
  text: string,
  values: readonly unknown[],
) => Promise<R | undefined>;

/**
 * Connects to a database with the desk's tables, indexes and triggers. What is written are the rows that the Support API writes, in one
 * transaction a write, by prepared statements, as somebody would who writes to these tables by hand.
 */
export async function openSqlClient(databaseUrl: string, kind: WriteKind): Promise<SqlClient> {
  const client = new pg.Client({
    connectionString: databaseUrl,
    options: "-c search_path=deskbridge_desk -c jit=off",
  });
  await client.connect();
  const query: Query = async <R extends object>(name: string, text: string, values: readonly unknown[]) =>
    (await client.query<R>({ name, text, values: [...values] })).rows[0];
  const one = kind === "upserts" ? upsert : addMessage;
  const attempt = async (write: DeskWrite): Promise<void> => {
    await client.query("begin");
    try {
      await one(query, write);
      await client.query("commit");
    } catch (error) {
      await client.query("rollback");
      // Somebody else made the ticket or the contact meanwhile: now it is found.
      if ((error as { readonly code?: unknown }).code !== uniqueViolation) throw error;
      await attempt(write);
    }
  };
  return { write: attempt, close: () => client.end() };
}

const uniqueViolation = "23505";

interface Row {
  readonly id: string;
  readonly requester: string;
}

const ticketByRef = `select t.id, t.requester from ticket_ref r join ticket t on t.id = r.ticket
  where r.external_id = $1 and r.source = $2 for update of t`;

async function upsert(query: Query, write: DeskWrite): Promise<void> {
  const { ticket, subject } = write;
  const found = await query<Row>("ticket-by-ref", ticketByRef, [ticket, refSource]);
  if (found !== undefined) return say(query, found, write, "inbound");
  const requester = await contactOf(query, write);
  const made = await query<Row>(
    "ticket",
    `insert into ticket (subject, status, priority, channel, requester) values ($1, 'new', 'normal', 'api', $2)
     returning id, requester`,
    [subject, requester],
  );
  if (made === undefined) throw new Error("no ticket");
  await query("ticket-ref", "insert into ticket_ref (external_id, source, ticket) values ($1, $2, $3)", [
    ticket,
    refSource,
    made.id,
  ]);
  await change(query, "ticket.created", made.id, made.id);
  await insertMessage(query, made, write, "inbound");
}

async function contactOf(query: Query, { requester: { email, name } }: DeskWrite): Promise<string> {
  const known = await query<{ contact: string }>(
    "identity",
    "select contact from contact_identity where value = $1 and kind = 'email' and source = ''",
    [email],
  );
  if (known !== undefined) return known.contact;
  const made = await query<Row>("contact", "insert into contact (name, email) values ($1, $2) returning id", [
    name,
    email,
  ]);
  const id = made?.id ?? "";
  await query(
    "new-identity",
    "insert into contact_identity (value, kind, contact) values ($1, 'email', $2)",
    [email, id],
  );
  await change(query, "contact.created", id, null);
  return id;
}

async function addMessage(query: Query, write: DeskWrite): Promise<void> {
  const found = await query<Row>("ticket-by-ref", ticketByRef, [write.ticket, refSource]);
  if (found === undefined) throw new Error(`there is no ticket ${write.ticket}`);
  await say(query, found, write, "outbound");
}

async function say(
  query: Query,
  ticket: Row,
  write: DeskWrite,
  direction: "inbound" | "outbound",
): Promise<void> {
  await insertMessage(query, ticket, write, direction);
  await query(
    "touch",
    "update ticket set updated_at = clock_timestamp(), version = version + 1 where id = $1",
    [ticket.id],
  );
}

async function insertMessage(
  query: Query,
  { id: ticket, requester }: Row,
  { text, messageRef }: DeskWrite,
  direction: "inbound" | "outbound",
): Promise<void> {
  const isInbound = direction === "inbound";
  const author = [isInbound ? "contact" : "agent", isInbound ? requester : null, isInbound ? null : "bench"];
  const message = await query<Row>(
    "message",
    `insert into message (ticket, direction, visibility, author_type, author_contact, author_id, text)
     values ($1, $2, 'public', $3, $4, $5, $6) returning id`,
    [ticket, direction, ...author, text],
  );
  if (messageRef !== undefined) {
    await query("message-ref", "insert into message_ref (external_id, source, message) values ($1, $2, $3)", [
      messageRef,
      refSource,
      message?.id,
    ]);
  }
  await change(query, "message.created", message?.id ?? "", ticket);
}

async function change(query: Query, type: string, object: string, ticket: string | null): Promise<void> {
  await query("change", "insert into change (type, object, ticket, actor) values ($1, $2, $3, 'bench')", [
    type,
    object,
    ticket,
  ]);
}
