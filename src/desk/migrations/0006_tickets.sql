-- Tickets: how they look to the outside, how they are made and changed.

create function ticket_json(t ticket) returns text language plpgsql stable as $$
begin
  return json_build_object(
    'id', 'tkt_' || t.id,
    'number', t.id,
    'subject', t.subject,
    'status', t.status,
    'priority', t.priority,
    'channel', t.channel,
    'requester', (
      select json_build_object('id', 'con_' || c.id, 'name', c.name, 'email', c.email, 'phone', c.phone)
      from contact c where c.id = t.requester
    ),
    'assignee', t.assignee,
    'tags', t.tags,
    'custom_fields', t.custom_fields,
    'refs', coalesce((
      select json_agg(json_build_object('source', r.source, 'external_id', r.external_id) order by r.source, r.external_id)
      from ticket_ref r where r.ticket = t.id
    ), '[]'),
    'orders', coalesce((
      select json_agg(order_brief(o) order by o.id)
      from ticket_order l join sales_order o on o.id = l.sales_order where l.ticket = t.id
    ), '[]'),
    'csat', csat_json(t.id),
    'follow_up_of', 'tkt_' || t.follow_up_of,
    'created_at', stamp(t.created_at),
    'updated_at', stamp(t.updated_at),
    'closed_at', stamp(t.closed_at),
    'version', t.version
  )::text;
end
$$;

create function ticket_answer(p_status integer, p_result text, p_message bigint, p_ticket bigint) returns answer language plpgsql as $$
begin
  return (
    select (p_status::smallint, p_result, p_message, t.version, ticket_json(t), false)::answer from ticket t where t.id = p_ticket
  );
end
$$;

-- The ticket that a request is about, by {ticket} or by {ref}, locked.
create function lock_ticket(p jsonb) returns ticket language plpgsql as $$
declare
  locked ticket;
begin
  loop
    if p ? 'ticket' then
      select * into locked from ticket where id = (p->>'ticket')::bigint for update;
    else
      select t.* into locked from ticket_ref r join ticket t on t.id = r.ticket
      where r.external_id = p->'ref'->>'external_id' and r.source = p->'ref'->>'source'
      for update of t;
    end if;
    exit when locked.merged_into is null;
    -- A ref that was moved while we waited leads to the survivor by now.
    continue when not p ? 'ticket';
    raise exception using errcode = 'DK308', message = 'this ticket was merged into another', detail = 'tkt_' || surviving_ticket(locked.id);
  end loop;
  if locked.id is null then raise exception using errcode = 'DK404', message = 'there is no such ticket'; end if;
  if not coalesce(p->'if_match' @> to_jsonb(locked.version), true) then
    raise exception using errcode = 'DK412', message = 'the ticket changed since it was read';
  end if;
  return locked;
end
$$;

create function tags_of(p jsonb) returns text[] language plpgsql immutable as $$
begin
  return (
    select coalesce(array_agg(tag), '{}') from jsonb_array_elements_text(p) as tag
  );
end
$$;

-- The people of a ticket's request, the requester, the message's author and the orders' customers, claimed together; each is {contact} in what it returns.
create function settle_people(p jsonb, p_actor text) returns jsonb language plpgsql as $$
declare
  people jsonb;
  contacts bigint[];
  known jsonb;
begin
  -- Most messages name nobody.
  if not p ? 'requester' and not p ? 'orders' and (p->'message'->'author' ? 'contact') is not true then return p; end if;
  if p ? 'requester' and (p->'message'->'author' ? 'contact') is not true
    and (not p ? 'orders' or not exists (select from jsonb_array_elements(p->'orders') as o where o->'customer' <> p->'requester'))
  then
    known := jsonb_build_object('contact', claim_contact(p->'requester', p_actor));
    if p ? 'orders' then
      p := p || jsonb_build_object('orders', (
        select coalesce(jsonb_agg(case when o ? 'customer' then o || jsonb_build_object('customer', known) else o end), '[]')
        from jsonb_array_elements(p->'orders') as o
      ));
    end if;
    return p || jsonb_build_object('requester', known);
  end if;
  select coalesce(jsonb_agg(distinct named.person), '[]') into people from (
    select p->'requester' as person where p ? 'requester'
    union all select jsonb_build_object('contact', p->'message'->'author'->'contact') where p->'message'->'author' ? 'contact'
    union all select o->'customer' from jsonb_array_elements(p->'orders') as o where o ? 'customer'
  ) as named;
  contacts := claim_contacts(people, p_actor);
  select jsonb_object_agg(a.person::text, jsonb_build_object('contact', contacts[a.place])) into known
  from jsonb_array_elements(people) with ordinality as a(person, place);
  if p ? 'requester' then p := p || jsonb_build_object('requester', known->(p->>'requester')); end if;
  if p->'message'->'author' ? 'contact' then
    p := jsonb_set(p, '{message,author,contact}', known->(jsonb_build_object('contact', p->'message'->'author'->'contact')::text)->'contact');
  end if;
  if p ? 'orders' then
    p := p || jsonb_build_object('orders', (
      select coalesce(jsonb_agg(case when o ? 'customer' then o || jsonb_build_object('customer', known->(o->>'customer')) else o end), '[]')
      from jsonb_array_elements(p->'orders') as o
    ));
  end if;
  return p;
end
$$;

create function insert_ticket(p_ticket bigint, p jsonb, p_requester bigint, p_follow_up_of bigint, p_actor text) returns bigint
language plpgsql as $$
declare
  tags text[] := tags_of(p->'tags');
  status ticket_status := coalesce(p->>'status', 'new');
  message bigint;
begin
  insert into ticket (id, subject, status, priority, channel, requester, assignee, tags, custom_fields, follow_up_of, closed_at)
  values (
    p_ticket, p->>'subject', status, coalesce(p->>'priority', 'normal')::ticket_priority, coalesce(p->>'channel', 'api'), p_requester, p->>'assignee',
    tags, merge_fields('{}', p->'custom_fields'), p_follow_up_of, case when status in ('solved', 'closed') then clock_timestamp() end
  );
  if tags <> '{}' then
    insert into ticket_tag (tag, ticket) select t, p_ticket from unnest(tags) as t;
  end if;
  perform record_change('ticket.created', p_ticket, p_ticket, p_actor);
  if p ? 'orders' then perform link_orders(p_ticket, p->'orders', p_actor); end if;
  if p ? 'message' then message := append_message(p_ticket, p->'message', p_requester, p_actor); end if;
  return message;
end
$$;

-- A new ticket, with its people.
create function open_ticket(p_result text, p_ticket bigint, p jsonb, p_follow_up_of bigint, p_actor text) returns answer language plpgsql as $$
begin
  p := settle_people(p, p_actor);
  return ticket_answer(201, p_result, insert_ticket(p_ticket, p, (p->'requester'->>'contact')::bigint, p_follow_up_of, p_actor), p_ticket);
end
$$;

create function create_ticket(p jsonb, p_actor text) returns answer language plpgsql as $$
declare
  created bigint := nextval('ticket_id_seq');
begin
  if p ? 'ref' then
    insert into ticket_ref (external_id, source, ticket) values (p->'ref'->>'external_id', p->'ref'->>'source', created)
    on conflict do nothing;
    if not found then
      raise exception using errcode = 'DK409', message = 'another ticket has this ref', detail = (
        select json_build_array('tkt_' || r.ticket)::text from ticket_ref r
        where r.external_id = p->'ref'->>'external_id' and r.source = p->'ref'->>'source'
      );
    end if;
  end if;
  return open_ticket('created', created, p, null, p_actor);
end
$$;

-- Sets the fields that are given. p_more holds what changed around the ticket already, null for nothing. Returns whether anything is new.
create function change_ticket(before ticket, p jsonb, p_more jsonb, p_actor text) returns boolean language plpgsql as $$
declare
  after ticket := before;
  closes boolean;
  differences jsonb;
begin
  -- A message alone, or what p_more says: none of the ticket's own fields.
  if p = '{}' then
    if p_more is null then return false; end if;
    update ticket set updated_at = clock_timestamp(), version = before.version + 1 where id = before.id;
    if p_more <> '{}' then perform record_change('ticket.updated', before.id, before.id, p_actor, p_more); end if;
    return true;
  end if;
  after.subject := coalesce(p->>'subject', before.subject);
  after.status := coalesce((p->>'status')::ticket_status, before.status);
  after.priority := coalesce((p->>'priority')::ticket_priority, before.priority);
  after.channel := coalesce(p->>'channel', before.channel);
  after.assignee := case when p ? 'assignee' then p->>'assignee' else before.assignee end;
  after.custom_fields := merge_fields(before.custom_fields, p->'custom_fields');
  if p ? 'requester' then after.requester := requester_of(p->'requester', p_actor); end if;
  if p ? 'set_tags' then
    after.tags := tags_of(p->'set_tags');
  elsif p ? 'tags' or p ? 'remove' then
    after.tags := array(select t from unnest(before.tags) as t where t <> all (tags_of(p->'remove')))
      || array(select t from unnest(tags_of(p->'tags')) as t where t <> all (before.tags));
  end if;
  if after = before and p_more is null then return false; end if;

  closes := after.status in ('solved', 'closed');
  if closes then after.closed_at := coalesce(before.closed_at, clock_timestamp()); else after.closed_at := null; end if;
  if after.tags <> before.tags then
    delete from ticket_tag where ticket = before.id and tag <> all (after.tags);
    insert into ticket_tag (tag, ticket) select t, before.id from unnest(after.tags) as t on conflict do nothing;
  end if;
  differences := ticket_differences(before, after) || coalesce(p_more, '{}');
  update ticket set
    subject = after.subject, status = after.status, priority = after.priority, channel = after.channel, assignee = after.assignee,
    requester = after.requester, tags = after.tags, custom_fields = after.custom_fields, closed_at = after.closed_at,
    updated_at = clock_timestamp(), version = before.version + 1
  where id = before.id;
  if differences <> '{}' then
    perform record_change(
      case
        when closes and before.status not in ('solved', 'closed') then 'ticket.closed'
        when before.status in ('solved', 'closed') and not closes then 'ticket.reopened'
        else 'ticket.updated'
      end, before.id, before.id, p_actor, differences);
  end if;
  return true;
end
$$;

-- {field: [from, to]} of the fields that differ.
create function ticket_differences(before ticket, after ticket) returns jsonb language plpgsql immutable as $$
begin
  return (
    select coalesce(jsonb_object_agg(field, jsonb_build_array(was, becomes)), '{}')
    from (values
      ('subject', to_jsonb(before.subject), to_jsonb(after.subject)),
      ('status', to_jsonb(before.status), to_jsonb(after.status)),
      ('priority', to_jsonb(before.priority), to_jsonb(after.priority)),
      ('channel', to_jsonb(before.channel), to_jsonb(after.channel)),
      ('assignee', to_jsonb(before.assignee), to_jsonb(after.assignee)),
      ('requester', to_jsonb('con_' || before.requester), to_jsonb('con_' || after.requester)),
      ('tags', to_jsonb(before.tags), to_jsonb(after.tags)),
      ('custom_fields', before.custom_fields, after.custom_fields)
    ) as f(field, was, becomes)
    where was is distinct from becomes
  );
end
$$;

create function update_ticket(before ticket, p jsonb, p_actor text) returns answer language plpgsql as $$
declare
  said bigint := said_message(before, p->'message');
  speaks boolean := p ? 'message' and said is null;
  more jsonb := case when speaks then '{}'::jsonb end;
  changed boolean;
begin
  p := settle_people(p, p_actor);
  if p ? 'orders' then
    more := coalesce(order_differences(before.id, link_orders(before.id, p->'orders', p_actor), '{}'), more);
  end if;
  changed := change_ticket(before, p, more, p_actor);
  if speaks then said := append_message(before.id, p->'message', before.requester, p_actor); end if;
  return ticket_answer(200, case when changed then 'updated' else 'unchanged' end, said, before.id);
end
$$;

create function patch_ticket(p jsonb, p_actor text) returns answer language plpgsql as $$
begin
  return update_ticket(lock_ticket(p), p, p_actor);
end
$$;

-- Tickets that a contact has to do with without being their requester: they wrote in it, or were its requester once.
create table ticket_contact (
  contact bigint not null,
  ticket bigint not null,
  primary key (contact, ticket)
);

create function note_former_requester() returns trigger language plpgsql as $$
begin
  insert into ticket_contact (contact, ticket) values (old.requester, old.id) on conflict do nothing;
  return null;
end
$$;
create trigger ticket_requester_changed after update of requester on ticket for each row
when (old.requester <> new.requester) execute function note_former_requester();
