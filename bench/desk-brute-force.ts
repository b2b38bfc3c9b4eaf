import type pg from "pg";
import type { DatasetName } from "../src/model/dataset.ts";
import type { Row } from "../src/sdk/row-batch.ts";

/** A dataset as a plain query of the desk's tables: `$1` and `$2` are the ids between which objects are looked at. */
interface BruteQuery {
  readonly ids: string;
  readonly rows: string;
}

const stamp = (column: string): string =>
  `regexp_replace(to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), '\\.?0+$', '') || 'Z'`;

function query(ids: string, from: string, columns: Readonly<Record<string, string>>): BruteQuery {
  const list = Object.entries(columns).map(([name, sql]) => `(${sql}) as "${name}"`);
  return {
    ids,
    rows: `select row_to_json(r)::text as row from (select ${list.join(", ")} from ${from}) as r`,
  };
}

const between = (column: string): string => `${column} > $1 and ${column} <= $2`;

/** What an export of a desk has to hold, by queries that share nothing with those of the desk's own datasets. */
export const bruteQueries: { readonly [N in DatasetName]?: BruteQuery } = {
  tickets: query("ticket", `ticket t left join ticket_csat c on c.ticket = t.id where ${between("t.id")}`, {
    id: "'tkt_' || t.id",
    number: "t.id::text",
    subject: "t.subject",
    status: "t.status",
    priority: "t.priority",
    channel: "t.channel",
    requester_id: "'con_' || t.requester",
    assignee: "t.assignee",
    tags: "array_to_json(t.tags)",
    custom_fields: "t.custom_fields",
    refs: `coalesce((select json_agg(json_build_object('source', source, 'external_id', external_id) order by source, external_id)
        from ticket_ref where ticket = t.id), '[]')`,
    reason: "case when t.custom_fields->>'reason' <> '' then t.custom_fields->>'reason' else t.tags[1] end",
    csat_score: "c.score",
    csat_comment: "c.comment",
    csat_at: stamp("c.rated_at"),
    follow_up_of: "'tkt_' || t.follow_up_of",
    merged_into: "'tkt_' || t.merged_into",
    created_at: stamp("t.created_at"),
    updated_at: stamp("t.updated_at"),
    closed_at: stamp("t.closed_at"),
  }),
  messages: query("message", `message m where ${between("m.id")}`, {
    id: "'msg_' || m.id",
    ticket_id: "'tkt_' || m.ticket",
    direction: "m.direction",
    visibility: "m.visibility",
    author_type: "m.author_type",
    author_id: "case when m.author_contact is null then m.author_id else 'con_' || m.author_contact end",
    author_name: "m.author_name",
    text: "m.text",
    has_attachments: "m.has_attachments",
    created_at: stamp("m.created_at"),
  }),
  contacts: query("contact", `contact c where c.erased_at is null and ${between("c.id")}`, {
    id: "'con_' || c.id",
    name: "c.name",
    email: "c.email",
    phone: "c.phone",
    custom_fields: "c.custom_fields",
    merged_into: "'con_' || c.merged_into",
    created_at: stamp("c.created_at"),
    updated_at: stamp("c.updated_at"),
  }),
  orders: query("sales_order", `sales_order o where ${between("o.id")}`, {
    id: "'ord_' || o.id",
    source: "o.source",
    external_id: "o.external_id",
    name: "o.name",
    status: "o.status",
    total_minor: "o.total_minor",
    total_currency: "o.total_currency",
    url: "o.url",
    contact_id: "'con_' || o.contact",
    placed_at: stamp("o.placed_at"),
    created_at: stamp("o.created_at"),
    updated_at: stamp("o.updated_at"),
  }),
  ticket_orders: query(
    "ticket",
    `ticket_order l join ticket t on t.id = l.ticket where ${between("l.ticket")}`,
    {
      ticket_id: "'tkt_' || l.ticket",
      order_id: "'ord_' || l.sales_order",
      ticket_created_at: stamp("t.created_at"),
    },
  ),
  ticket_metrics: query(
    "ticket",
    `ticket t left join ticket_metric m on m.ticket = t.id left join ticket_csat c on c.ticket = t.id
     where t.merged_into is null and ${between("t.id")}`,
    {
      ticket_id: "'tkt_' || t.id",
      ticket_created_at: stamp("t.created_at"),
      first_reply_at: stamp("m.first_reply_at"),
      first_reply_seconds: "m.first_reply_seconds",
      first_reply_business_seconds: "m.first_reply_business_seconds",
      first_resolved_at: stamp("m.first_resolved_at"),
      first_resolution_seconds: "m.first_resolution_seconds",
      first_resolution_business_seconds: "m.first_resolution_business_seconds",
      resolved_at: stamp("m.resolved_at"),
      full_resolution_seconds: "m.resolution_seconds",
      full_resolution_business_seconds: "m.resolution_business_seconds",
      replies: "coalesce(m.replies, 0)",
      reopens: "coalesce(m.reopens, 0)",
      one_touch: "coalesce(m.resolved_at is not null and m.reopens = 0 and m.replies <= 1, false)",
      csat_score: "c.score",
    },
  ),
};

const step = 20_000;

/** The rows of a dataset by brute force, some thousand at a time. The connection looks at the desk's own tables. */
export async function* bruteRows(
  client: pg.Client,
  { ids, rows }: BruteQuery,
): AsyncGenerator<readonly Row[]> {
  const found = await client.query<{ last: string | null }>(`select max(id) as last from ${ids}`);
  const last = Number(found.rows[0]?.last ?? 0);
  for (let after = 0; after < last; after += step) {
    const page = await client.query<{ row: string }>(rows, [after, after + step]);
    yield page.rows.map(({ row }) => JSON.parse(row) as Row);
  }
}
