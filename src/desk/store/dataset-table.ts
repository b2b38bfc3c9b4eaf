import type { DatasetName } from "../../model/dataset.ts";

/** The datasets whose rows are those of tables. */
export type TableName = Exclude<DatasetName, "metrics_daily" | "deliveries">;

/**
 * A dataset in SQL. `touched` and `phases` have `$after` and `$until` for the positions between which changes are looked at, of a change `c`, and `$ids`
 * for the objects of a page.
 */
export interface TableDataset {
  readonly columns: Readonly<Record<string, string>>;
  /** What `columns` and the others are of. */
  readonly from: string;
  /** What is joined on top for columns that name it, by its alias. `$objects(column)` is the condition that the column names an object of the page. */
  readonly joins?: Readonly<Record<string, string>>;
  /** Which of the rows are rows of the dataset. */
  readonly present?: string;
  /** The object that a row is read by; several rows may have one. */
  readonly id: string;
  /** A table of all objects, with the column of their ids, which has an index. Undefined where everything is read by the changes. */
  readonly objects?: readonly [table: string, column: string];
  /** When the object came to be. */
  readonly createdAt: string;
  /** `phase` and `id`, above 0, of what changed. */
  readonly touched: string;
  /** What is read of the objects of each phase: rows, by a condition in which `$id` is their object, or the keys of rows that are gone, by a `select`. */
  readonly phases: readonly Phase[];
}

export type Phase =
  | { readonly part: "upsert"; readonly where: string }
  | { readonly part: "delete"; readonly select: string };

const window = "(c.tx, c.id) > ($after) and (c.tx, c.id) <= ($until)";

const ticketNames = {
  ticket_id: "'tkt_' || t.id",
  ticket_created_at: "t.created_at",
};

const csatJoin = "left join ticket_csat r on r.ticket = t.id";

/** The messages of a ticket as a whole are others when it was merged, and when somebody was erased. */
const rewrittenTickets = `
select distinct coalesce(g.merged_into, c.ticket) as ticket
from change c left join ticket g on c.type = 'ticket.merged' and g.id = c.object
where ${window} and (c.type = 'ticket.merged' or (c.type = 'ticket.updated' and c.data ?| array['erased', 'messages_erased']))`;

/** Orders that a change took away from its ticket. */
const removedOrders = `case when jsonb_typeof(c.data->'orders'->0) = 'array' then c.data->'orders'->0 else '[]' end`;

export const tableDatasets: { readonly [N in TableName]: TableDataset } = {
  tickets: {
    columns: {
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
      refs: "coalesce(f.refs, '[]')",
      reason: "coalesce(nullif(t.custom_fields->>'reason', ''), t.tags[1])",
      csat_score: "r.score",
      csat_comment: "r.comment",
      csat_at: "r.rated_at",
      follow_up_of: "'tkt_' || t.follow_up_of",
      merged_into: "'tkt_' || t.merged_into",
      created_at: "t.created_at",
      updated_at: "t.updated_at",
      closed_at: "t.closed_at",
    },
    from: "ticket t",
    joins: {
      r: csatJoin,
      // All at once rather than for each ticket: with its index in the order of tickets that is one pass.
      f: `left join (
        select x.ticket, json_agg(
          json_build_object('source', x.source, 'external_id', x.external_id) order by x.source, x.external_id
        ) as refs
        from ticket_ref x where $objects(x.ticket) group by x.ticket
      ) f on f.ticket = t.id`,
    },
    id: "t.id",
    objects: ["ticket", "id"],
    createdAt: "t.created_at",
    // A follow-up takes over the ref of the ticket that it follows up.
    touched: `
      select 0 as phase, c.ticket as id from change c where ${window} and c.ticket is not null
      union
      select 0, t.follow_up_of from change c join ticket t on t.id = c.object
      where ${window} and c.type = 'ticket.created' and t.follow_up_of is not null`,
    phases: [{ part: "upsert", where: "$id = any ($ids)" }],
  },
  messages: {
    columns: {
      id: "'msg_' || m.id",
      ticket_id: "'tkt_' || m.ticket",
      direction: "m.direction",
      visibility: "m.visibility",
      author_type: "m.author_type",
      author_id: "coalesce('con_' || m.author_contact, m.author_id)",
      author_name: "m.author_name",
      text: "m.text",
      has_attachments: "m.has_attachments",
      created_at: "m.created_at",
    },
    from: "message m",
    id: "m.id",
    objects: ["message", "id"],
    createdAt: "m.created_at",
    touched: `
      select 0 as phase, c.object as id from change c where ${window} and c.type = 'message.created'
      union
      select 0, m.id from (${rewrittenTickets}) w join message m on m.ticket = w.ticket`,
    phases: [{ part: "upsert", where: "$id = any ($ids)" }],
  },
  contacts: {
    columns: {
      id: "'con_' || k.id",
      name: "k.name",
      email: "k.email",
      phone: "k.phone",
      custom_fields: "k.custom_fields",
      merged_into: "'con_' || k.merged_into",
      created_at: "k.created_at",
      updated_at: "k.updated_at",
    },
    from: "contact k",
    id: "k.id",
    objects: ["contact", "id"],
    createdAt: "k.created_at",
    present: "k.erased_at is null",
    touched: `
      select case when k.erased_at is null then 0 else 1 end as phase, k.id from (
        select distinct c.object from change c where ${window} and c.type like 'contact.%'
      ) w join contact k on k.id = w.object`,
    phases: [
      { part: "upsert", where: "$id = any ($ids)" },
      {
        part: "delete",
        select:
          "select 'con_' || k.id as id from contact k where k.id = any ($ids) and k.erased_at is not null",
      },
    ],
  },
  orders: {
    columns: {
      id: "'ord_' || o.id",
      source: "o.source",
      external_id: "o.external_id",
      name: "o.name",
      status: "o.status",
      total_minor: "o.total_minor",
      total_currency: "o.total_currency",
      url: "o.url",
      contact_id: "'con_' || o.contact",
      placed_at: "o.placed_at",
      created_at: "o.created_at",
      updated_at: "o.updated_at",
    },
    from: "sales_order o",
    id: "o.id",
    objects: ["sales_order", "id"],
    createdAt: "o.created_at",
    touched: `select distinct 0 as phase, c.object as id from change c where ${window} and c.type in ('order.created', 'order.updated')`,
    phases: [{ part: "upsert", where: "$id = any ($ids)" }],
  },
  ticket_orders: {
    columns: { ...ticketNames, order_id: "'ord_' || l.sales_order" },
    from: "ticket_order l join ticket t on t.id = l.ticket",
    id: "l.ticket",
    objects: ["ticket_order", "ticket"],
    createdAt: "t.created_at",
    touched: `
      select 0 as phase, c.ticket as id from change c
      where ${window} and c.ticket is not null and (c.type = 'ticket.created' or c.data ? 'orders')
      union
      select 1, c.ticket from change c where ${window} and c.ticket is not null and jsonb_array_length(${removedOrders}) > 0`,
    phases: [
      { part: "upsert", where: "$id = any ($ids)" },
      {
        part: "delete",
        select: `
      select distinct 'tkt_' || c.ticket as ticket_id, o.id as order_id
      from change c cross join lateral jsonb_array_elements_text(${removedOrders}) as o(id)
      where ${window} and c.ticket = any ($ids) and not exists (
        select from ticket_order l where l.ticket = c.ticket and l.sales_order = substring(o.id from 5)::bigint
      )`,
      },
    ],
  },
  ticket_events: {
    columns: {
      id: "'evt_' || c.id",
      ticket_id: "'tkt_' || c.ticket",
      type: "c.type",
      actor: "c.actor",
      object_id: "object_name(c.type, c.object)",
      changes: "c.data",
      at: "c.at",
    },
    from: "change c",
    present: "c.ticket is not null",
    id: "c.id",
    createdAt: "c.at",
    // The entries of a stretch as they lie in it, then the older ones of tickets that were erased in it.
    touched: `
      select 0 as phase, 1 as id where exists (select from change c where ${window} and c.ticket is not null)
      union all
      select distinct 1, c.ticket from change c where ${window} and c.type = 'ticket.updated' and c.data ? 'erased'`,
    phases: [
      { part: "upsert", where: window },
      { part: "upsert", where: "c.ticket = any ($ids) and (c.tx, c.id) <= ($after)" },
    ],
  },
  ticket_metrics: {
    columns: {
      ...ticketNames,
      first_reply_at: "m.first_reply_at",
      first_reply_seconds: "m.first_reply_seconds",
      first_reply_business_seconds: "m.first_reply_business_seconds",
      first_resolved_at: "m.first_resolved_at",
      first_resolution_seconds: "m.first_resolution_seconds",
      first_resolution_business_seconds: "m.first_resolution_business_seconds",
      resolved_at: "m.resolved_at",
      full_resolution_seconds: "m.resolution_seconds",
      full_resolution_business_seconds: "m.resolution_business_seconds",
      replies: "coalesce(m.replies, 0)",
      reopens: "coalesce(m.reopens, 0)",
      one_touch: "m.resolved_at is not null and m.reopens = 0 and m.replies <= 1",
      csat_score: "r.score",
    },
    from: "ticket t left join ticket_metric m on m.ticket = t.id",
    joins: { r: csatJoin },
    id: "t.id",
    objects: ["ticket", "id"],
    createdAt: "t.created_at",
    present: "t.merged_into is null",
    touched: `
      select case when t.merged_into is null then 0 else 1 end as phase, t.id from (
        select distinct c.ticket from change c where ${window} and c.ticket is not null
      ) w join ticket t on t.id = w.ticket`,
    phases: [
      { part: "upsert", where: "$id = any ($ids)" },
      {
        part: "delete",
        select:
          "select 'tkt_' || t.id as ticket_id from ticket t where t.id = any ($ids) and t.merged_into is not null",
      },
    ],
  },
};

/** The `select` of rows: these columns, of the objects for which a condition with `$id` holds, and of those what `and` says. */
export function rowsOf(
  table: TableDataset,
  columns: readonly string[],
  { objects, and = "true" }: { readonly objects: string; readonly and?: string },
): string {
  const list = columns.map((name) => `${expressionOf(table, name)} as ${name}`);
  const holdsFor = (column: string): string => objects.replaceAll("$id", () => column);
  const joins = Object.entries(table.joins ?? {})
    .filter(([alias]) => list.some((sql) => new RegExp(`\\b${alias}\\.`).test(sql)))
    .map(([, sql]) => sql.replaceAll(/\$objects\(([\w.]+)\)/g, (_all, column: string) => holdsFor(column)));
  const where = [holdsFor(table.id), and, table.present ?? "true"].map((sql) => `(${sql})`);
  return `select ${list.join(", ")} from ${[table.from, ...joins].join(" ")} where ${where.join(" and ")}`;
}

function expressionOf(table: TableDataset, name: string): string {
  const sql = table.columns[name];
  // Names are those of the catalogue: a test holds the two to each other.
  if (sql === undefined) throw new Error(`the column ${name} has no expression`);
  return sql;
}
