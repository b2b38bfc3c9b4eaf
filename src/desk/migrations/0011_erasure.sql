-- Erasing contacts, and giving out all that is held about one.

-- What else there is to do when contacts are erased, by the name of a function (p_contacts bigint[], p_tickets bigint[], p_words text[]) returns void. A
-- migration that adds a table with personal data adds its function here. p_tickets are those that the contacts requested, whose every text goes; p_words are
-- names and addresses of theirs, in lower case, for mentions().
create table erasure_step (
  name text primary key
);

-- Whether one of the words is in a text. Short ones, which are in many others, count only as the whole text, or as the whole of a text in JSON; not so those
-- in signs of which two are a name.
create function mentions(p_text text, p_words text[]) returns boolean language plpgsql immutable as $$
begin
  return exists (
    select from unnest(p_words) as word
    where position(word in lower(p_text)) > 0 and (
      length(word) >= 4 or word ~ '[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]'
      or lower(p_text) = word or position('"' || word || '"' in lower(p_text)) > 0
    )
  );
end
$$;

-- A ref that says who somebody is; those with an @ are addresses, or ids of mails, which have the sender's domain.
create function is_personal_ref(p_external_id text, p_source text, p_words text[]) returns boolean language plpgsql immutable as $$
begin
  return p_external_id like '%@%' or mentions(concat_ws(' ', p_external_id, p_source), p_words);
end
$$;

-- What contacts are called by: names whole and word by word, addresses, ids. Of what is short only what is nothing but letters: a number is anybody's.
create function words_about(p_contacts bigint[]) returns text[] language plpgsql stable as $$
begin
  return (
    select coalesce(array_agg(distinct word), '{}') from (
      select lower(c.name) as word from contact c where c.id = any (p_contacts)
      union all select regexp_split_to_table(lower(c.name), '\s+') from contact c where c.id = any (p_contacts)
      union all select lower(i.value) from contact_identity i where i.contact = any (p_contacts)
      union all
      select lower(f.value) from contact c, jsonb_each_text(c.custom_fields) as f where c.id = any (p_contacts) and f.value ~ '[^[:alpha:]].{5}'
    ) as words where length(word) >= 4 or word ~ '^[[:alpha:]]{2,3}$'
  );
end
$$;

-- Custom fields without what may be about a person: numbers, true and false, and single plain words that are none of theirs are left.
create function impersonal_fields(p_fields jsonb, p_words text[]) returns jsonb language plpgsql immutable as $$
begin
  return (
    select coalesce(jsonb_object_agg(f.key, f.value), '{}') from jsonb_each(p_fields) as f
    where not mentions(f.key, p_words)
      and (jsonb_typeof(f.value) <> 'string' or (f.value #>> '{}' ~ '^[a-z][a-z_-]{0,39}$' and not mentions(f.value #>> '{}', p_words)))
      and (jsonb_typeof(f.value) <> 'number' or not mentions(f.value #>> '{}', p_words))
  );
end
$$;

-- Erases a contact and those that were merged into it: everything that says who they are goes from every table. Their tickets stay, for the figures, without
-- a word that was said in them.
create function erase_contact(p jsonb, p_actor text) returns answer language plpgsql as $$
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

create function erased_answer(p_result text, p_contact bigint) returns answer language plpgsql as $$
begin
  return (200::smallint, p_result, null::bigint, null::integer, json_build_object('id', 'con_' || p_contact, 'deleted', true)::text, false)::answer;
end
$$;

-- In tickets of others too, each of which says that it was changed.
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

create function erase_attachments(p_messages bigint[], p_contacts bigint[]) returns void language plpgsql as $$
declare
  erased bigint[] := array(select id from attachment where message = any (p_messages) or (message is null and uploader = any (p_contacts)) order by id for update);
begin
  perform waste_attachments(erased);
  delete from idempotency i where i.body like '{"id" : "att\_%' and i.body::jsonb->>'id' = any (select 'att_' || a from unnest(erased) as a);
end
$$;

-- What names objects of ours stays in the history of an erased ticket: an export that comes later finds by it what went where.
create function erase_tickets(p_tickets bigint[], p_words text[], p_actor text) returns void language plpgsql as $$
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

create function erase_orders(p_contacts bigint[], p_words text[], p_actor text) returns void language plpgsql as $$
declare
  erased bigint[] := array(select id from sales_order where contact = any (p_contacts) order by external_id, source for update);
begin
  update sales_order o set
    contact = null, url = null, name = null,
    status = case when mentions(o.status, p_words) then null else o.status end,
    external_id = case when mentions(o.external_id, p_words) then 'erased-' || o.id else o.external_id end,
    updated_at = clock_timestamp(), version = o.version + 1
  where o.id = any (erased);
  delete from order_state where sales_order = any (erased) and mentions(status, p_words);
  perform record_change('order.updated', o, null, p_actor, '{"erased": [false, true]}') from unnest(erased) as o;
end
$$;

create function erase_identity(p_contacts bigint[], p_actor text) returns void language plpgsql as $$
begin
  delete from contact_identity where contact = any (p_contacts);
  delete from contact_moved where merge in (select id from contact_merge where contact = any (p_contacts));
  update contact_merge set filled = '{}' where contact = any (p_contacts);
  update contact set
    name = null, email = null, phone = null, custom_fields = '{}', erased_at = clock_timestamp(), updated_at = clock_timestamp(), version = version + 1
  where id = any (p_contacts);
  perform record_change('contact.deleted', c, null, p_actor) from unnest(p_contacts) as c;
end
$$;

-- Answers that are kept for idempotency keys: those about what was erased are made of what is left of it, so that a repeat still finds its answer.
create function erase_answers(p_contacts bigint[], p_tickets bigint[], p_words text[]) returns void language plpgsql as $$
declare
  -- Not names: what only sounds alike is somebody else's.
  addresses text[] := array(select word from unnest(p_words) as word where word ~ '[@0-9 ]' and length(word) >= 4);
  ids text := (select string_agg(id, '|') from (select 'con_' || c as id from unnest(p_contacts) as c union all select 'tkt_' || t from unnest(p_tickets) as t) as named);
begin
  delete from idempotency where mentions(key, addresses);
  update idempotency i set body = answer_anew(i.body) where i.body ~ ('"(' || ids || ')"') or mentions(i.body, addresses);
end
$$;

create function answer_anew(p_body text) returns text language plpgsql as $$
declare
  named text := p_body::jsonb->>'id';
  number bigint := substring(named from '_(\d+)$')::bigint;
begin
  return coalesce(case left(named, 4)
    when 'con_' then (select case when c.erased_at is null then contact_json(c) else (erased_answer('deleted', c.id)).body end from contact c where c.id = number)
    when 'tkt_' then (select ticket_json(t) from ticket t where t.id = number)
    when 'msg_' then (select message_json(m) from message m where m.id = number)
    when 'ord_' then (select order_json(o) from sales_order o where o.id = number)
  end, p_body);
end
$$;

-- All that is held about a contact, as JSON; null when there is none.
create function contact_export(p_contact bigint) returns text language plpgsql stable as $$
declare
  target contact;
  contacts bigint[];
begin
  select * into target from contact where id = p_contact and merged_into is null and erased_at is null;
  if not found then return null; end if;
  contacts := array(
    with recursive merged as (
      select target.id union select c.id from contact c join merged m on c.merged_into = m.id
    ) select id from merged order by id
  );
  return json_build_object(
    'contact', contact_json(target)::json,
    'merged', coalesce((select json_agg(contact_json(c)::json order by c.id) from contact c where c.id = any (contacts) and c.id <> target.id), '[]'),
    'orders', coalesce((select json_agg(order_json(o)::json order by o.id) from sales_order o where o.contact = any (contacts)), '[]'),
    'tickets', coalesce((
      select json_agg((ticket_json(t)::jsonb || jsonb_build_object('messages', coalesce((
        select jsonb_agg(message_json(m)::jsonb order by m.id) from message m where m.ticket = t.id
      ), '[]')))::json order by t.id) from ticket t where t.requester = any (contacts)
    ), '[]'),
    'messages_elsewhere', coalesce((
      select json_agg(message_json(m)::json order by m.id)
      from ticket_contact x join message m on m.ticket = x.ticket join ticket t on t.id = x.ticket
      where x.contact = any (contacts) and m.author_contact = any (contacts) and t.requester <> all (contacts)
    ), '[]'),
    'changes', coalesce((
      select json_agg(json_build_object('type', c.type, 'time', stamp(c.at), 'ticket_id', 'tkt_' || c.ticket, 'data', c.data) order by c.tx, c.id)
      from change c where c.ticket in (select t.id from ticket t where t.requester = any (contacts))
    ), '[]')
  )::text;
end
$$;
