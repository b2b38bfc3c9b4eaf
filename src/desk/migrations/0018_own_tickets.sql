-- What an end user does, and is told of. p: {contact, …}.

create function own_ticket_answer(p_done answer, p_ticket bigint) returns answer language plpgsql as $$
begin
  p_done.version := null;
  p_done.body := (select own_ticket_json(t) from ticket t where t.id = p_ticket);
  return p_done;
end
$$;

-- The ticket of an address, locked.
create function lock_own_ticket(p jsonb) returns ticket language plpgsql as $$
declare
  locked ticket;
  survivor ticket;
begin
  select * into locked from ticket where id = (p->>'ticket')::bigint and requester = (p->>'contact')::bigint for update;
  if locked.merged_into is not null then
    select * into survivor from ticket where id = surviving_ticket(locked.id) and requester = locked.requester;
    if survivor.id is not null and shows_to_requester(survivor) then
      raise exception using errcode = 'DK308', message = 'this ticket was merged into another', detail = 'tkt_' || survivor.id;
    end if;
  end if;
  if locked.id is null or not shows_to_requester(locked) then
    raise exception using errcode = 'DK404', message = 'there is no such ticket';
  end if;
  return locked;
end
$$;

create function open_own_ticket(p jsonb, p_actor text) returns answer language plpgsql as $$
declare
  created bigint := nextval('ticket_id_seq');
begin
  return own_ticket_answer(
    open_ticket('created', created, p || jsonb_build_object('requester', jsonb_build_object('contact', p->'contact')), null, p_actor), created
  );
end
$$;

-- What a customer writes brings the ticket back to the agents.
create function add_own_message(p jsonb, p_actor text) returns answer language plpgsql as $$
declare
  before ticket := lock_own_ticket(p);
  added bigint;
begin
  perform change_ticket(before, case before.status when 'new' then '{}' else '{"status": "open"}' end::jsonb, '{}', p_actor);
  added := append_message(before.id, p->'message', before.requester, p_actor);
  return (
    select (201::smallint, case when before.status in ('solved', 'closed') then 'reopened' else 'appended' end, m.id, null::integer, own_message_json(m), false)::answer
    from message m where m.id = added
  );
end
$$;

create function rate_own_ticket(p jsonb, p_actor text) returns answer language plpgsql as $$
declare
  rated ticket := lock_own_ticket(p);
begin
  return own_ticket_answer(rate_ticket(jsonb_build_object('ticket', rated.id, 'score', p->'score', 'comment', p->'comment'), p_actor), rated.id);
end
$$;

-- A change as its ticket's requester is told of it; null where it is not for them.
create function own_event_json(c change, t ticket) returns text language plpgsql stable as $$
declare
  said message;
begin
  if c.type = 'message.created' then
    select * into said from message m where m.id = c.object;
    if said.id is null or not shows_to(said, t.requester) then return null; end if;
  elsif c.object <> t.id or (c.type = 'ticket.updated' and not c.data ?| array['status', 'subject', 'assignee', 'csat']) then
    return null;
  end if;
  if not shows_to_requester(t) then return null; end if;
  return json_build_object(
    'id', 'evt_' || c.id,
    'sequence', lpad(to_hex(c.tx), 13, '0') || lpad(to_hex(c.id), 13, '0'),
    'type', c.type,
    'time', stamp(c.at),
    'ticket_id', 'tkt_' || t.id,
    'object_id', case when said.id is null then 'tkt_' || t.id else 'msg_' || said.id end,
    'object', case when said.id is null then own_ticket_json(t) else own_message_json(said) end::json
  )::text;
end
$$;

-- Whom changes are for, and how they are told.
create function own_events(p_tx bigint[], p_id bigint[]) returns table (tx bigint, id bigint, contact bigint, body text) language sql stable as $$
  select c.tx, c.id, t.requester, own_event_json(c, t)
  from unnest(p_tx, p_id) as a(tx, id)
  join change c on c.tx = a.tx and c.id = a.id
  join ticket t on t.id = surviving_ticket(case c.type when 'message.created' then (select m.ticket from message m where m.id = c.object) else c.ticket end)
  where c.type in ('message.created', 'ticket.created', 'ticket.updated', 'ticket.closed', 'ticket.reopened')
$$;

-- What happened in a contact's tickets between two places of the feed, oldest first.
create function own_events_between(
  p_contact bigint, p_tx bigint, p_id bigint, p_end_tx bigint, p_end_id bigint, p_limit integer
) returns table (tx bigint, id bigint, body text) language sql stable as $$
  select c.tx, c.id, case when s.requester = p_contact then own_event_json(c, s) end
  from ticket t
  join change c on c.ticket = t.id and (c.tx, c.id) > (p_tx, p_id) and (c.tx, c.id) <= (p_end_tx, p_end_id)
  join ticket s on s.id = surviving_ticket(case c.type when 'message.created' then (select m.ticket from message m where m.id = c.object) else t.id end)
  where t.requester = p_contact and c.type in ('message.created', 'ticket.created', 'ticket.updated', 'ticket.closed', 'ticket.reopened')
  order by c.tx, c.id limit p_limit
$$;
