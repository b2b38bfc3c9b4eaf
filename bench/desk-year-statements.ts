// A year of a desk as SQL: `$1` is how many rows are drawn, `$2` when the stretch of the year begins, `$3` how many seconds it has. Every statement is a
// transaction of its own and writes its changes to the feed, as the desk's own functions do; random() is seeded by the caller.

/** Clocks of other systems are minutes off, and some by days. */
const at = `($2::timestamptz + make_interval(secs => $3::float8 * random()
  + case when random() < 0.03 then (random() - 0.5) * 864000 else (random() - 0.5) * 240 end))`;

/** What trips up whoever writes CSV by hand. */
const texts = `(array['Where is my parcel?', '', 'He said "no", twice', E'two\\nlines', E'a\\r\\nb', 'a,b;c', '\\N', 'NULL', ' spaces ', 'Größe 😀 Ähre',
  E'tab\\there', '''quoted''', '""', 'ünïcödé ßtreet', repeat('long ', 40), '{"json": [1, 2]}'])`;
const text = `${texts}[1 + floor(random() * 16)]`;
const agent = `'agent-' || floor(random() * 20)`;
const living = "merged_into is null and erased_at is null";

export const contacts = `
with drawn as materialized (
  select nextval(pg_get_serial_sequence('contact', 'id')) as id, ${at} as at, random() as dice from generate_series(1, $1::int)
), made as (
  insert into contact (id, name, email, phone, custom_fields, created_at, updated_at)
  select id, case when dice < 0.9 then 'Contact ' || id end, 'c' || id || '@example.com', case when dice > 0.8 then '+4930' || id end,
    case when dice < 0.3 then jsonb_build_object('note', ${text}, 'visits', id % 7) else '{}' end, at, at
  from drawn
), known as (
  insert into contact_identity (value, kind, contact) select 'c' || id || '@example.com', 'email', id from drawn
)
insert into change (type, object, actor, at) select 'contact.created', id, 'key_1', at from drawn`;

export const orders = `
with drawn as materialized (
  select nextval(pg_get_serial_sequence('sales_order', 'id')) as id, ${at} as at, random() as dice,
    1 + floor(random() * (select max(id) from contact)) as customer
  from generate_series(1, $1::int)
), made as (
  insert into sales_order (id, source, external_id, name, status, total_minor, total_currency, url, contact, placed_at, created_at, updated_at)
  select d.id, (array['shop', 'market'])[1 + d.id % 2], 'x' || d.id, case when dice < 0.9 then '#' || d.id end, case when dice < 0.95 then 'open' end,
    case when dice < 0.97 then floor(dice * 100000) end, case when dice < 0.97 then 'EUR' end, case when dice < 0.5 then 'https://example.com/' || d.id end,
    c.id, case when dice < 0.8 then d.at end, d.at, d.at
  from drawn d left join contact c on c.id = d.customer and ${living}
)
insert into change (type, object, actor, at) select 'order.created', id, 'key_1', at from drawn`;

export const tickets = `
with drawn as materialized (
  select ${at} as at, random() as dice, ${text} as text, 1 + floor(random() * (select max(id) from contact)) as requester,
    1 + floor(random() * (select max(id) from sales_order)) as sales_order, floor(random() * 9) as topic
  from generate_series(1, $1::int)
), named as materialized (
  select nextval(pg_get_serial_sequence('ticket', 'id')) as id, nextval(pg_get_serial_sequence('message', 'id')) as message, d.*,
    case when dice < 0.2 then '{}' when dice < 0.7 then array['topic-' || topic] else array['topic-' || topic, 'it''s "urgent"'] end as tags
  from drawn d join contact c on c.id = d.requester and ${living}
), made as (
  insert into ticket (id, subject, status, priority, channel, requester, assignee, tags, custom_fields, created_at, updated_at)
  select id, 'Order ' || id || ': ' || text, 'new', (array['low', 'normal', 'normal', 'high'])[1 + floor(dice * 4)]::ticket_priority,
    (array['email', 'chat', 'api', 'phone'])[1 + id % 4], requester, case when dice < 0.6 then ${agent} end, tags,
    case when dice < 0.4 then jsonb_build_object('reason', 'reason-' || topic) when dice > 0.95 then '{"reason": null, "vip": true, "n": 1.50}' else '{}' end, at, at
  from named
), tagged as (
  insert into ticket_tag (tag, ticket) select tag, id from named, unnest(tags) as tag
), known as (
  insert into ticket_ref (external_id, source, ticket) select 'T' || id, 'shop', id from named where dice < 0.8
), linked as (
  insert into ticket_order (ticket, sales_order) select n.id, o.id from named n join sales_order o on o.id = n.sales_order where dice < 0.6
), said as (
  insert into message (id, ticket, direction, visibility, author_type, author_contact, text, created_at)
  select message, id, 'inbound', 'public', 'contact', requester, text, at from named
)
insert into change (type, object, ticket, actor, at)
select 'ticket.created', id, id, 'key_1', at from named union all select 'message.created', message, id, 'key_1', at from named`;

/** To tickets of any age, so that most of the year's partitions are touched again. */
export const messages = `
with drawn as materialized (
  select nextval(pg_get_serial_sequence('message', 'id')) as id, ${at} as at, random() as dice, ${text} as text,
    ceil((select max(id) from ticket) * case when random() < 0.6 then 1 - random() * 0.06 else random() end) as ticket
  from generate_series(1, $1::int)
), said as (
  insert into message (id, ticket, direction, visibility, author_type, author_contact, author_id, author_name, text, created_at)
  select d.id, t.id, case when dice < 0.5 then 'inbound' else 'outbound' end::message_direction,
    case when dice > 0.9 then 'internal' else 'public' end::message_visibility, case when dice < 0.5 then 'contact' else 'agent' end::message_author,
    case when dice < 0.5 then t.requester end, case when dice >= 0.5 then ${agent} end, case when dice > 0.7 then 'Grace "G" Hopper' end, text, d.at
  from drawn d join ticket t on t.id = d.ticket where t.merged_into is null
  returning id, ticket, created_at
), touched as (
  update ticket t set updated_at = s.created_at, version = t.version + 1 from said s where s.ticket = t.id
)
insert into change (type, object, ticket, actor, at) select 'message.created', id, ticket, 'key_2', created_at from said`;

export const transitions = `
with drawn as materialized (
  select distinct on (ticket) ticket, at, dice from (
    select ${at} as at, random() as dice, ceil((select max(id) from ticket) * case when random() < 0.7 then 1 - random() * 0.1 else random() end) as ticket
    from generate_series(1, $1::int)
  ) as draws order by ticket
), planned as materialized (
  select t.id, t.status as was, d.at, case
    when t.status in ('solved', 'closed') then case when dice < 0.3 then 'open' else 'closed' end
    when dice < 0.6 then 'solved' when dice < 0.8 then 'pending' else 'on_hold' end::ticket_status as becomes
  from drawn d join ticket t on t.id = d.ticket where t.merged_into is null
), changed as (
  update ticket t set status = p.becomes, updated_at = p.at, version = t.version + 1,
    closed_at = case when p.becomes in ('solved', 'closed') then coalesce(t.closed_at, p.at) end
  from planned p where p.id = t.id and p.becomes <> p.was
)
insert into change (type, object, ticket, actor, at, data)
select case when becomes in ('solved', 'closed') and was not in ('solved', 'closed') then 'ticket.closed'
    when becomes not in ('solved', 'closed') and was in ('solved', 'closed') then 'ticket.reopened' else 'ticket.updated' end,
  id, id, 'key_2', at, jsonb_build_object('status', jsonb_build_array(was, becomes))
from planned where becomes <> was`;

export const fields = `
with drawn as materialized (
  select distinct on (ticket) ticket, at, dice from (
    select ${at} as at, random() as dice, ceil((select max(id) from ticket) * random()) as ticket from generate_series(1, $1::int)
  ) as draws order by ticket
), planned as materialized (
  select t.id, t.tags as was, d.at, dice, t.priority,
    case when dice < 0.3 then array['topic-' || floor(dice * 30), 'again'] else t.tags end as becomes
  from drawn d join ticket t on t.id = d.ticket where t.merged_into is null
), untagged as (
  delete from ticket_tag g using planned p where g.ticket = p.id and g.tag <> all (p.becomes)
), tagged as (
  insert into ticket_tag (tag, ticket) select tag, id from planned, unnest(becomes) as tag on conflict do nothing
), changed as (
  update ticket t set tags = p.becomes, updated_at = p.at, version = t.version + 1,
    priority = case when dice > 0.7 then 'urgent' else t.priority end, assignee = case when dice between 0.3 and 0.5 then ${agent} else t.assignee end,
    custom_fields = case when dice > 0.8 then t.custom_fields || '{"reason": "it, \\"changed\\""}' else t.custom_fields end
  from planned p where p.id = t.id
)
insert into change (type, object, ticket, actor, at, data)
select 'ticket.updated', id, id, 'key_2', at, jsonb_build_object('tags', jsonb_build_array(was, becomes)) from planned`;

export const orderStates = `
with drawn as materialized (
  select distinct on (id) id, at from (
    select ${at} as at, ceil((select max(id) from sales_order) * random()) as id from generate_series(1, $1::int)
  ) as draws order by id
), changed as (
  update sales_order o set status = (array['fulfilled', 'cancelled', 'refunded, in part'])[1 + o.id % 3], updated_at = d.at, version = o.version + 1
  from drawn d where d.id = o.id returning o.id, d.at
)
insert into change (type, object, actor, at) select 'order.updated', id, 'key_1', at from changed`;

/** Draws what the desk's own functions are called with; `$1` is how many of each. */
export const calls = `
select 'merge_tickets' as operation, jsonb_build_object('ticket', one, 'into', other) as argument
  from (select ceil(random() * m) as one, ceil(random() * m) as other from (select max(id) as m from ticket) as t, generate_series(1, $1::int)) as d where one <> other
union all select 'merge_contacts', jsonb_build_object('contact', one, 'into', other)
  from (select ceil(random() * m) as one, ceil(random() * m) as other from (select max(id) as m from contact) as t, generate_series(1, $1::int)) as d where one <> other
union all select 'erase_contact', jsonb_build_object('contact', ceil(random() * m)) from (select max(id) as m from contact) as t, generate_series(1, ceil($1::int / 3.0)::int)
union all select 'unlink_order', jsonb_build_object('ticket', ticket, 'order', sales_order)
  from (select ticket, sales_order from ticket_order order by random() limit $1::int * 2) as l
union all select 'link_order', jsonb_build_object('ticket', ceil(random() * t), 'order', ceil(random() * o))
  from (select (select max(id) from ticket) as t, (select max(id) from sales_order) as o) as m, generate_series(1, $1::int)
union all select 'rate_ticket', jsonb_build_object('ticket', ceil(random() * m), 'score', ceil(random() * 5), 'comment', case when random() < 0.5 then ${text} end)
  from (select max(id) as m from ticket) as t, generate_series(1, $1::int * 10)
union all select 'unmerge_contact', jsonb_build_object('contact', contact)
  from (select contact from contact_merge where undone_at is null order by random() limit ceil($1::int / 4.0)::int) as u`;
