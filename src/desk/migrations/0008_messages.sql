-- Messages of tickets. Their writers hold the ticket's lock.

-- The author is who the contact has become; a name given with the message stays.
create function message_json(m message) returns text language plpgsql stable as $$
declare
  author contact;
begin
  if m.author_contact is not null then
    select * into author from contact where id = m.author_contact;
    if author.merged_into is not null then select * into author from contact where id = survivor_of(m.author_contact); end if;
  end if;
  return json_build_object(
    'id', 'msg_' || m.id,
    'ticket_id', 'tkt_' || m.ticket,
    'in_reply_to', 'msg_' || m.in_reply_to,
    'direction', m.direction,
    'visibility', m.visibility,
    'author', json_build_object(
      'type', m.author_type,
      'id', coalesce('con_' || author.id, m.author_id),
      'name', coalesce(m.author_name, author.name)
    ),
    'text', m.text,
    'html', m.html,
    'attachments', case when m.has_attachments then attachments_of(m.id) else '[]' end,
    'refs', coalesce((
      select json_agg(json_build_object('source', r.source, 'external_id', r.external_id) order by r.source, r.external_id)
      from message_ref r where r.message = m.id
    ), '[]'),
    'created_at', stamp(m.created_at)
  )::text;
end
$$;

-- The message of a ref, when it is in the ticket or in one that the ticket follows up: what is said there has been said. Null for a new ref,
-- refused when the message is in a ticket that has nothing to do with this one. The caller holds the ticket's lock.
create function said_message(p_ticket ticket, p jsonb) returns bigint language plpgsql as $$
declare
  said message;
  earlier bigint := p_ticket.follow_up_of;
  seen bigint[] := '{}';
begin
  if (p ? 'ref') is not true then return null; end if;
  select m.* into said from message_ref r join message m on m.id = r.message
  where r.external_id = p->'ref'->>'external_id' and r.source = p->'ref'->>'source';
  if not found or said.ticket = p_ticket.id then return said.id; end if;
  while earlier is not null and earlier <> all (seen) loop
    if earlier = said.ticket then return said.id; end if;
    seen := seen || earlier;
    select coalesce(merged_into, follow_up_of) into earlier from ticket where id = earlier;
  end loop;
  perform refuse_said(p);
end
$$;

create function refuse_said(p jsonb) returns void language plpgsql as $$
begin
  raise exception using errcode = 'DK409', message = 'a message of another ticket has this ref', detail = (
    select json_build_array('msg_' || r.message)::text from message_ref r
    where r.external_id = p->'ref'->>'external_id' and r.source = p->'ref'->>'source'
  );
end
$$;

create function append_message(p_ticket bigint, p jsonb, p_contact bigint, p_actor text) returns bigint language plpgsql as $$
declare
  created bigint;
  author_type message_author := coalesce(p->'author'->>'type', case p->>'direction' when 'inbound' then 'contact' else 'agent' end);
begin
  if p ? 'in_reply_to' and not exists (
    select from message m where m.id = (p->>'in_reply_to')::bigint and m.ticket = p_ticket
      and (not p ? 'uploader' or shows_to(m, (p->>'uploader')::bigint))
  ) then
    raise exception using errcode = 'DK400', message = 'in_reply_to names no message of this ticket';
  end if;
  insert into message (ticket, direction, visibility, author_type, author_contact, author_id, author_name, text, html, in_reply_to)
  values (
    p_ticket, (p->>'direction')::message_direction, (p->>'visibility')::message_visibility, author_type,
    case when author_type = 'contact' then coalesce((p->'author'->>'contact')::bigint, p_contact) end,
    case when author_type <> 'contact' then coalesce(p->'author'->>'id', p_actor) end,
    p->'author'->>'name', p->>'text', p->>'html', (p->>'in_reply_to')::bigint
  )
  returning id into created;
  if p ? 'attachments' then perform attach(created, p->'attachments', (p->>'uploader')::bigint); end if;
  if p ? 'ref' then
    insert into message_ref (external_id, source, message) values (p->'ref'->>'external_id', p->'ref'->>'source', created)
    on conflict do nothing;
    if not found then perform refuse_said(p); end if;
  end if;
  if p->'author' ? 'contact' then
    insert into ticket_contact (contact, ticket)
    select (p->'author'->>'contact')::bigint, p_ticket
    where not exists (select from ticket t where t.id = p_ticket and t.requester = (p->'author'->>'contact')::bigint)
    on conflict do nothing;
  end if;
  perform record_change('message.created', created, p_ticket, p_actor);
  return created;
end
$$;

create function message_answer(p_status integer, p_result text, p_message bigint, p_version integer) returns answer language plpgsql as $$
begin
  return (
    select (p_status::smallint, p_result, m.id, p_version, message_json(m), false)::answer from message m where m.id = p_message
  );
end
$$;

-- Answers the message itself; one that was said already is answered as it is.
create function add_message(p jsonb, p_actor text) returns answer language plpgsql as $$
declare
  before ticket := lock_ticket(p);
  message bigint := said_message(before, p->'message');
begin
  if message is not null then return message_answer(200, 'unchanged', message, before.version); end if;
  p := settle_people(p, p_actor);
  perform change_ticket(before, '{}', '{}', p_actor);
  message := append_message(before.id, p->'message', before.requester, p_actor);
  return message_answer(201, 'appended', message, before.version + 1);
end
$$;
