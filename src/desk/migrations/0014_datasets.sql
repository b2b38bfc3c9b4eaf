-- Datasets for warehouses: whatever changes a row of one says so in the changes, and rows can be found by the day that they belong to.

-- MERGED TICKETS: the change says which orders the ticket was linked to.

create or replace function merge_tickets(p jsonb, p_actor text) returns answer language plpgsql as $$
declare
  gone bigint;
  survivor bigint := surviving_ticket((p->>'into')::bigint);
  before ticket;
  target ticket;
  links text[];
begin
  gone := coalesce((p->>'ticket')::bigint, (select r.ticket from ticket_ref r where r.external_id = p->'ref'->>'external_id' and r.source = p->'ref'->>'source'));
  if gone = (p->>'into')::bigint then
    raise exception using errcode = 'DK400', message = 'a ticket cannot be merged into itself';
  end if;
  -- Refs before tickets, as all writers do, and tickets by their ids.
  perform from ticket_ref where ticket = gone order by external_id, source for update;
  perform from ticket where id in (gone, survivor) order by id for update;
  select * into target from ticket where id = survivor;
  if target.id is null then raise exception using errcode = 'DK400', message = 'into names no ticket'; end if;
  -- Somebody merged the survivor in the meantime: from the beginning.
  if target.merged_into is not null then raise exception using errcode = '40001', message = 'the survivor was merged'; end if;
  if gone = survivor then
    raise exception using errcode = 'DK409', message = 'into was merged into this ticket', detail = json_build_array('tkt_' || (p->>'into'))::text;
  end if;
  if surviving_ticket(gone) = survivor then return ticket_answer(200, 'unchanged', null, survivor); end if;
  before := lock_ticket(p || jsonb_build_object('ticket', gone));
  links := array(select 'ord_' || l.sales_order from ticket_order l where l.ticket = gone order by l.sales_order);
  perform absorb_ticket(before, target, p_actor);
  update ticket t set
    status = 'closed', closed_at = coalesce(t.closed_at, clock_timestamp()), merged_into = survivor,
    updated_at = clock_timestamp(), version = t.version + 1
  where t.id = gone;
  perform record_change('ticket.merged', gone, gone, p_actor, jsonb_build_object('into', 'tkt_' || survivor)
    || case when links = '{}' then '{}' else jsonb_build_object('orders', jsonb_build_array(to_jsonb(links), '[]'::jsonb)) end);
  return ticket_answer(200, 'merged', null, survivor);
end
$$;

-- ERASED MESSAGES: in tickets of others too, each of which says that it was changed.

drop function erase_messages(bigint[], bigint[], text[]);

create function erase_messages(p_contacts bigint[], p_tickets bigint[], p_words text[], p_actor text) returns void language plpgsql as $$
declare
  others bigint[] := array(select distinct ticket from ticket_contact where contact = any (p_contacts) and ticket <> all (p_tickets) order by ticket);
  erased bigint[];
  tally record;
begin
  perform from ticket where id = any (others) order by id for update;
  with gone as (
    update message m set
      text = '[erased]', html = null, has_attachments = false,
      author_name = case when m.author_type = 'contact' or mentions(m.author_name, p_words) then null else m.author_name end,
      author_id = case when mentions(m.author_id, p_words) then null else m.author_id end
    where m.ticket = any (p_tickets)
      or (m.ticket = any (others) and (m.author_contact = any (p_contacts) or mentions(concat_ws(' ', m.text, m.html, m.author_name), p_words)
        or exists (select from attachment a where a.message = m.id and mentions(a.filename, p_words))))
    returning m.id
  ) select coalesce(array_agg(id), '{}') into erased from gone;
  perform erase_attachments(erased, p_contacts);
  delete from message_ref where message = any (erased) and is_personal_ref(external_id, source, p_words);
  delete from ticket_contact where contact = any (p_contacts);
  -- A ticket that is not erased itself has other words in it from now on.
  for tally in select m.ticket, count(*) as messages from message m where m.id = any (erased) and m.ticket = any (others) group by m.ticket order by m.ticket loop
    update ticket t set updated_at = clock_timestamp(), version = t.version + 1 where t.id = tally.ticket;
    perform record_change('ticket.updated', tally.ticket, tally.ticket, p_actor, jsonb_build_object('messages_erased', jsonb_build_array(0, tally.messages)));
  end loop;
end
$$;

create or replace function erase_contact(p jsonb, p_actor text) returns answer language plpgsql as $$
declare
  target contact;
  contacts bigint[];
  tickets bigint[];
  words text[];
  step text;
begin
  select * into target from contact where id = (p->>'contact')::bigint;
  if target.erased_at is not null then return erased_answer('unchanged', target.id); end if;
  perform from ticket where requester = target.id order by id for update;
  perform close_gates(array[target.id]);
  select * into target from contact where id = target.id for update;
  if target.erased_at is not null then return erased_answer('unchanged', target.id); end if;
  target := lock_contact(p);
  contacts := array(
    with recursive merged as (
      select target.id union select c.id from contact c join merged m on c.merged_into = m.id
    ) select id from merged order by id
  );
  perform close_gates(contacts);
  tickets := array(select t.id from ticket t where t.requester = any (contacts) order by t.id for update);
  words := words_about(contacts);
  perform erase_messages(contacts, tickets, words, p_actor);
  perform erase_tickets(tickets, words, p_actor);
  perform erase_orders(contacts, words, p_actor);
  for step in select name from erasure_step order by name loop
    execute format('select %I($1, $2, $3)', step) using contacts, tickets, words;
  end loop;
  perform erase_identity(contacts, p_actor);
  -- Last: the answers are made anew of what is left.
  perform erase_answers(contacts, tickets, words);
  return erased_answer('deleted', target.id);
end
$$;

-- What names objects of ours stays in the history of an erased ticket: an export that comes later finds by it what went where.

create or replace function erase_tickets(p_tickets bigint[], p_words text[], p_actor text) returns void language plpgsql as $$
begin
  delete from ticket_tag where ticket = any (p_tickets) and mentions(tag, p_words);
  delete from ticket_ref where ticket = any (p_tickets) and is_personal_ref(external_id, source, p_words);
  update ticket t set
    subject = '[erased]',
    tags = array(select tag from unnest(t.tags) as tag where not mentions(tag, p_words)),
    custom_fields = impersonal_fields(t.custom_fields, p_words),
    assignee = case when mentions(t.assignee, p_words) then null else t.assignee end,
    channel = case when mentions(t.channel, p_words) then 'api' else t.channel end,
    updated_at = clock_timestamp(), version = t.version + 1
  where t.id = any (p_tickets);
  -- That they changed stays on record, from what to what does not.
  update change c set data = (
    select jsonb_object_agg(d.key, case
      -- Numbers and ids of ours, which an id of theirs may happen to be a part of.
      when d.key in ('status', 'priority', 'requester', 'orders', 'merged', 'into', 'csat', 'erased', 'messages_erased') then d.value
      when d.key in ('subject', 'custom_fields') or mentions(d.value::text, p_words) then jsonb_build_array('[erased]', '[erased]') else d.value
    end) from jsonb_each(c.data) as d
  )
  where c.ticket = any (p_tickets) and c.data <> '{}';
  perform record_change('ticket.updated', t, t, p_actor, '{"erased": [false, true]}') from unnest(p_tickets) as t;
end
$$;

-- DAYS. Coarse, because rows lie in about the order in which they came, and cheap, because they are looked for only when a warehouse is put right.
create index ticket_created on ticket using brin (created_at) with (pages_per_range = 32, autosummarize = on);
create index message_created on message using brin (created_at) with (pages_per_range = 32, autosummarize = on);
create index contact_created on contact using brin (created_at) with (pages_per_range = 32, autosummarize = on);
create index sales_order_created on sales_order using brin (created_at) with (pages_per_range = 32, autosummarize = on);

-- FIGURES: folds are numbered, and the figures of a day say which was the last to change them.
alter table metric_fold add column batch bigint not null default 0;
alter table metric_day add column batch bigint not null default 0;
create index metric_day_batch on metric_day (batch);
create index metric_day_group on metric_day (grouping, key, day) include (flow);
