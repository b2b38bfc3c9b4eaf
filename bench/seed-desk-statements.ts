// A shop's desk as SQL: every figure comes out of PostgreSQL's own random numbers from a fixed seed. $N in here is the number of tickets, $S how
// many seconds ago the first of them came.

const channels = "(array['email','email','email','chat','chat','api','phone','social'])";
const words =
  "(array['parcel','order','late','lost','broken','refund','return','size','colour','invoice','address','courier','gift','voucher','stock','payment','card','blue','green','kettle'])";

/** How a table is filled, in this order. Indexes that are not primary keys are taken away before and built again after. */
export const seedStatements: readonly (readonly [table: string, statement: string])[] = [
  [
    "contact",
    `insert into contact (id, name, email)
     select i, 'Contact ' || i, 'c' || i || '@example.com' from generate_series(1, $N / 5) as i`,
  ],
  [
    "contact_identity",
    `insert into contact_identity (value, kind, contact) select email, 'email', id from contact`,
  ],
  [
    "sales_order",
    `insert into sales_order (id, source, external_id, name, status, total_minor, total_currency, contact)
     select i, (array['shop','market','store','wholesale'])[1 + i % 4], i::text, '#' || i, 'open', 1000 + i % 9000, 'EUR', 1 + i % ($N / 5)
     from generate_series(1, $N / 2) as i`,
  ],
  [
    "ticket",
    `insert into ticket (id, subject, status, priority, channel, requester, assignee, tags, custom_fields, created_at, updated_at, version)
     select i, 'Where is my order #' || i, 'open', 'normal', ${channels}[1 + floor(random() * 8)], 1 + floor(random() * ($N / 5)),
       case when random() < 0.85 then 'agent-' || floor(random() * 50) end,
       case when random() < 0.5 then array['topic-' || floor(random() * 20)] else array['topic-' || floor(random() * 20), 'mark-' || floor(random() * 20)] end,
       case when random() < 0.4 then jsonb_build_object('reason', 'reason-' || floor(random() * 12)) else '{}' end,
       at, at, 6
     from (select i, now() - make_interval(secs => $S * (1 - (i - random()) / $N)) as at from generate_series(1, $N) as i offset 0) as t`,
  ],
  ["ticket_tag", `insert into ticket_tag (tag, ticket) select tag, id from ticket, unnest(tags) as tag`],
  [
    "ticket_ref",
    `insert into ticket_ref (external_id, source, ticket) select 'T' || id, 'shop', id from ticket`,
  ],
  [
    "ticket_subject",
    `insert into ticket_subject (ticket, words) select id, to_tsvector('simple', subject) || ticket_ranges(id) from ticket`,
  ],
  [
    "ticket_order",
    `insert into ticket_order (ticket, sales_order)
     select id, 1 + floor(random() * ($N / 2)) from ticket where random() < 0.6 on conflict do nothing`,
  ],
  [
    "message",
    `insert into message (id, ticket, direction, visibility, author_type, author_contact, author_id, text, created_at)
     select (t.id - 1) * 5 + n, t.id, case when n % 2 = 1 then 'inbound' else 'outbound' end::message_direction, 'public',
       case when n % 2 = 1 then 'contact' else 'agent' end::message_author, case when n % 2 = 1 then t.requester end,
       case when n % 2 = 0 then coalesce(t.assignee, 'agent-0') end,
       concat_ws(' ', ${words}[1 + (t.id * n) % 20], ${words}[1 + (t.id / 7 + n) % 20], ${words}[1 + (t.id / 3) % 20], 'number' || t.id % 50000),
       t.created_at + make_interval(secs => (n - 1) * 3600)
     from ticket t, generate_series(1, 5) as n`,
  ],
  [
    "ticket_metric",
    `insert into ticket_metric (ticket, replies, first_reply_at, first_reply_seconds, first_reply_business_seconds, first_resolved_at,
       first_resolution_seconds, first_resolution_business_seconds, resolved_at, resolution_seconds, resolution_business_seconds, reopens, turns)
     select id, floor(1 + random() * 3), created_at + make_interval(secs => reply), reply, floor(reply * 0.3), solved_at, solved,
       floor(solved * 0.3), solved_at, solved, floor(solved * 0.3), case when again then 1 else 0 end,
       case when solved_at is null then '{}' when again
         then array[created_at + make_interval(secs => solved * 0.5), created_at + make_interval(secs => solved * 0.75), solved_at]
         else array[solved_at] end
     from (
       select id, created_at, reply, again, case when created_at + make_interval(secs => solved) < now() then solved end as solved,
         case when created_at + make_interval(secs => solved) < now() then created_at + make_interval(secs => solved) end as solved_at
       from (
         select id, created_at, floor(least(exp(random_normal(7.5, 1.4)), 700000)) as reply,
           floor(least(exp(random_normal(10.5, 1.2)), 3000000)) + 60 as solved, random() < 0.06 as again
         from ticket where random() < 0.93
       ) as drawn where created_at + make_interval(secs => reply) < now()
     ) as known`,
  ],
  [
    "ticket",
    `update ticket t set status = case when random() < 0.5 then 'solved' else 'closed' end::ticket_status, closed_at = m.resolved_at,
       updated_at = m.resolved_at
     from ticket_metric m where m.ticket = t.id and m.resolved_at is not null`,
  ],
  [
    "ticket_csat",
    `insert into ticket_csat (ticket, score, rated_at)
     select ticket, 1 + floor(random() * 5), least(now(), resolved_at + make_interval(secs => random() * 200000))
     from ticket_metric where resolved_at is not null and random() < 0.25`,
  ],
  [
    "change",
    `insert into change (type, object, ticket, actor, at) select 'ticket.created', id, id, 'key_1', created_at from ticket order by id`,
  ],
];

/** What has to be known of the numbers that were given out. */
export const afterSeeding: readonly string[] = ["contact", "sales_order", "ticket", "message"].map(
  (table) => `select setval(pg_get_serial_sequence('${table}', 'id'), (select max(id) from ${table}))`,
);
