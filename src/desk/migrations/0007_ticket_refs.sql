-- Tickets by their ref in another system, merged tickets, and a ticket's history.

-- Makes the ticket of a ref. Where there is one: with a message it is a report about the ticket (append, or by p.repeat on a closed one),
-- without one it sets what is given. A report whose message was said already was carried out whole, and is not carried out again.
create function put_ticket(p jsonb, p_actor text) returns answer language plpgsql as $$
declare
  created bigint;
  before ticket;
  said bigint;
begin
  if not exists (select from ticket_ref where external_id = p->'ref'->>'external_id' and source = p->'ref'->>'source') then
    created := nextval('ticket_id_seq');
    insert into ticket_ref (external_id, source, ticket) values (p->'ref'->>'external_id', p->'ref'->>'source', created)
    on conflict do nothing;
    if found then return open_ticket('created', created, p, null, p_actor); end if;
  end if;
  -- The ref's row first: a follow-up points it to another ticket.
  perform from ticket_ref where external_id = p->'ref'->>'external_id' and source = p->'ref'->>'source' for update;
  before := lock_ticket(p);
  if not p ? 'message' then return update_ticket(before, p, p_actor); end if;
  said := said_message(before, p->'message');
  if said is not null then
    return ticket_answer(200, 'unchanged', said, before.id);
  elsif before.status not in ('solved', 'closed') then
    return report_ticket(before, p, 'appended', p_actor);
  end if;
  case coalesce(p->'repeat'->>'closed', 'reopen')
    when 'ignore' then
      return ticket_answer(200, 'ignored', null, before.id);
    when 'follow_up' then
      created := nextval('ticket_id_seq');
      update ticket_ref set ticket = created where external_id = p->'ref'->>'external_id' and source = p->'ref'->>'source';
      return open_ticket('followed_up', created, p, before.id, p_actor);
    else
      return report_ticket(before, p, 'reopened', p_actor);
  end case;
end
$$;

-- A repeat: its message, tags and orders are added. What an agent may have changed since (subject, priority, fields) is left alone.
create function report_ticket(before ticket, p jsonb, p_result text, p_actor text) returns answer language plpgsql as $$
declare
  reporter bigint;
  message bigint;
  news jsonb := case when p ? 'tags' then jsonb_build_object('tags', p->'tags') else '{}' end;
  more jsonb;
begin
  p := settle_people(p, p_actor);
  reporter := (p->'requester'->>'contact')::bigint;
  if reporter <> before.requester then
    insert into ticket_contact (contact, ticket) values (reporter, before.id) on conflict do nothing;
  end if;
  if p ? 'orders' then more := order_differences(before.id, link_orders(before.id, p->'orders', p_actor), '{}'); end if;
  if p_result = 'reopened' then news := news || '{"status": "open"}'; end if;
  perform change_ticket(before, news, coalesce(more, '{}'), p_actor);
  message := append_message(before.id, p->'message', reporter, p_actor);
  return ticket_answer(200, p_result, message, before.id);
end
$$;

create function surviving_ticket(p_ticket bigint) returns bigint language plpgsql stable as $$
declare
  survivor bigint := p_ticket;
  next bigint;
begin
  loop
    select merged_into into next from ticket where id = survivor;
    if next is null then return survivor; end if;
    survivor := next;
  end loop;
end
$$;

-- Everything of one ticket goes over to another: messages, refs, tags, orders, and the custom fields that the other has not. What is left of it is closed
-- and leads to the survivor. The change says which orders it was linked to.
create function merge_tickets(p jsonb, p_actor text) returns answer language plpgsql as $$
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

create function absorb_ticket(before ticket, target ticket, p_actor text) returns void language plpgsql as $$
declare
  moved text[];
  more jsonb := jsonb_build_object('merged', jsonb_build_array(null, 'tkt_' || before.id));
begin
  update message set ticket = target.id where ticket = before.id;
  update ticket_ref set ticket = target.id where ticket = before.id;
  delete from ticket_tag where ticket = before.id;
  with gone as (
    delete from ticket_order where ticket = before.id returning sales_order
  ), kept as (
    insert into ticket_order (ticket, sales_order) select target.id, sales_order from gone on conflict do nothing returning sales_order
  ) select coalesce(array_agg('ord_' || sales_order), '{}') into moved from kept;
  more := more || coalesce(order_differences(target.id, moved, '{}'), '{}');
  insert into ticket_contact (contact, ticket)
  select c, target.id from (
    select before.requester as c union select contact from ticket_contact where ticket_contact.ticket = before.id
  ) as people where c <> target.requester on conflict do nothing;
  perform change_ticket(target, jsonb_build_object('tags', to_jsonb(before.tags), 'custom_fields', before.custom_fields || target.custom_fields), more, p_actor);
end
$$;

-- A ticket and those that were merged into it.
create function ticket_family(p_ticket bigint) returns bigint[] language plpgsql stable as $$
begin
  return array(
    with recursive family as (
      select p_ticket as id union select t.id from ticket t join family f on t.merged_into = f.id
    ) select id from family
  );
end
$$;

-- A change as an entry of its ticket's history.
create function change_entry(c change) returns text language plpgsql stable as $$
begin
  return json_build_object(
    'id', 'evt_' || c.id,
    'type', c.type,
    'time', stamp(c.at),
    'actor', c.actor,
    'object_id', case split_part(c.type, '.', 1) when 'message' then 'msg_' when 'attachment' then 'att_' else 'tkt_' end || c.object,
    'changes', coalesce((
      select json_agg(case jsonb_typeof(d.value)
        when 'array' then json_build_object('field', d.key, 'from', d.value->0, 'to', d.value->1)
        else json_build_object('field', d.key, 'from', null, 'to', d.value)
      end order by d.key) from jsonb_each(c.data) as d
    ), '[]')
  )::text;
end
$$;
