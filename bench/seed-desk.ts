import pg from "pg";
import { afterSeeding, seedStatements } from "./seed-desk-statements.ts";

export interface SeedOptions {
  /** Of a database on which the desk has been opened before. The role has to be a superuser. */
  readonly databaseUrl: string;
  readonly tickets: number;
  /** Over how many days the tickets came, up to now. */
  readonly days: number;
  /** Only these tables; all when absent. */
  readonly tables?: readonly string[];
  readonly note: (line: string) => void;
}

const settings = [
  "search_path=deskbridge_desk",
  "synchronous_commit=off",
  // No triggers: what they would keep is written by the statements.
  "session_replication_role=replica",
  "maintenance_work_mem=1GB",
  "work_mem=256MB",
  "statement_timeout=0",
];

/** Fills a desk with tickets, five messages each, in bulk. The metrics are not folded yet. */
export async function seedDesk({ databaseUrl, tickets, days, tables, note }: SeedOptions): Promise<void> {
  const client = new pg.Client({
    connectionString: databaseUrl,
    options: settings.map((setting) => `-c ${setting}`).join(" "),
  });
  await client.connect();
  try {
    await client.query("select setseed(0.42)");
    const indexes = await dropIndexes(client);
    for (const [table, statement] of seedStatements) {
      if (tables?.includes(table) === false) continue;
      const text = statement.replaceAll("$N", String(tickets)).replaceAll("$S", String(days * 86_400));
      const { rowCount } = await client.query(text);
      note(`${table}: ${rowCount} rows`);
    }
    for (const statement of afterSeeding) await client.query(statement);
    for (const index of indexes) await client.query(index);
    note(`${indexes.length} indexes`);
    await client.query("vacuum analyze");
  } finally {
    await client.end();
  }
}

/** Takes the indexes away that are no constraints; returns the statements that make them again. */
async function dropIndexes(client: pg.Client): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string; definition: string }>(
    `select i.indexrelid::regclass::text as name, pg_get_indexdef(i.indexrelid) as definition
     from pg_index i join pg_class t on t.oid = i.indrelid
     where t.relnamespace = 'deskbridge_desk'::regnamespace and not i.indisunique and t.relname = any ($1)`,
    [
      [
        "contact",
        "sales_order",
        "ticket",
        "ticket_ref",
        "ticket_order",
        "ticket_subject",
        "message",
        "change",
      ],
    ],
  );
  for (const { name } of rows) await client.query(`drop index ${name}`);
  return rows.map(({ definition }) => definition);
}
