-- Messages of tickets. Their writers hold the ticket's lock.

create function message_json(m message) returns text language plpgsql stable as $$
begin
  return json_build_object(
    'id', 'msg_' || m.id,
    'ticket_id', 'tkt_' || m.ticket,
    'direction', m.direction,
    'visibility', m.visibility,
    'author', json_build_object(
      'type', m.author_type,
      'id', coalesce('con_' || m.author_contact, m.author_id),
      'name', coalesce(m.author_name, (select c.name from contact c where c.id = m.author_contact))
    ),
    'text', m.text,
    'html', null,
    'attachments', json_build_array(),
    'refs', coalesce((
      select json_agg(json_build_object('source', r.source, 'external_id', r.external_id) order by r.source, r.external_id)
      from message_ref r where r.message = m.id
    ), '[]'),
    'created_at', stamp(m.created_at)
  )::text;
end
$$;

create function append_message(p_ticket bigint, p jsonb, p_contact bigint, p_actor text) returns bigint language plpgsql as $$
declare
  created bigint;
  author_type message_author := coalesce(p->'author'->>'type', case p->>'direction' when 'inbound' then 'contact' else 'agent' end);
begin
  insert into message (ticket, direction, visibility, author_type, author_contact, author_id, author_name, text)
  values (
    p_ticket, (p->>'direction')::message_direction, (p->>'visibility')::message_visibility, author_type,
    case when author_type = 'contact' then coalesce((p->'author'->>'contact')::bigint, p_contact) end,
    case when author_type <> 'contact' then coalesce(p->'author'->>'id', p_actor) end,
    p->'author'->>'name', p->>'text'
  )
  returning id into created;
  if p ? 'ref' then
    insert into message_ref (external_id, source, message) values (p->'ref'->>'external_id', p->'ref'->>'source', created)
    on conflict do nothing;
    if not found then
      raise exception using errcode = 'DK409', message = 'another message has this ref', detail = (
        select json_build_array('msg_' || r.message)::text from message_ref r
        where r.external_id = p->'ref'->>'external_id' and r.source = p->'ref'->>'source'
      );
    end if;
  end if;
  perform record_change('message.created', created, p_ticket, p_actor);
  return created;
end
$$;

-- Answers the message itself.
create function add_message(p jsonb, p_actor text) returns answer language plpgsql as $$
declare
  before ticket := lock_ticket(p);
  contact bigint := before.requester;
  message bigint;
begin
  if p->'message'->'author' ? 'contact' then contact := requester_of(p->'message'->'author', p_actor); end if;
  perform change_ticket(before, '{}', '{}', p_actor);
  message := append_message(before.id, p->'message', contact, p_actor);
  return (
    select (201::smallint, 'appended', m.id, before.version + 1, message_json(m), false)::answer from message m where m.id = message
  );
end
$$;
