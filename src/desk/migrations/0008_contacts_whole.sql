-- Messages once per ref, contacts that are merged, given back and erased, and tickets that are merged and searched.

-- The message of a ref, when it is in the ticket or in one that the ticket follows up: what is said there has been said. Null for a new ref,
-- refused when the message is in a ticket that has nothing to do with this one. The caller holds the ticket's lock.
create function said_message(p_ticket ticket, p jsonb) returns bigint language plpgsql as $$
declare
  said message;
  earlier bigint := p_ticket.follow_up_of;
begin
  if (p ? 'ref') is not true then return null; end if;
  select m.* into said from message_ref r join message m on m.id = r.message
  where r.external_id = p->'ref'->>'external_id' and r.source = p->'ref'->>'source';
  if not found or said.ticket = p_ticket.id then return said.id; end if;
  while earlier is not null loop
    if earlier = said.ticket then return said.id; end if;
    select follow_up_of into earlier from ticket where id = earlier;
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

create or replace function append_message(p_ticket bigint, p jsonb, p_contact bigint, p_actor text) returns bigint language plpgsql as $$
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
    if not found then perform refuse_said(p); end if;
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
create or replace function add_message(p jsonb, p_actor text) returns answer language plpgsql as $$
declare
  before ticket := lock_ticket(p);
  contact bigint := before.requester;
  message bigint := said_message(before, p->'message');
begin
  if message is not null then return message_answer(200, 'unchanged', message, before.version); end if;
  if p->'message'->'author' ? 'contact' then contact := requester_of(p->'message'->'author', p_actor); end if;
  perform change_ticket(before, '{}', '{}', p_actor);
  message := append_message(before.id, p->'message', contact, p_actor);
  return message_answer(201, 'appended', message, before.version + 1);
end
$$;

-- Makes the ticket of a ref. Where there is one: with a message it is a report about the ticket (append, or by p.repeat on a closed one),
-- without one it sets what is given. A report whose message was said already was carried out whole, and is not carried out again.
create or replace function put_ticket(p jsonb, p_actor text) returns answer language plpgsql as $$
declare
  created bigint;
  before ticket;
  said bigint;
begin
  if not exists (select from ticket_ref where external_id = p->'ref'->>'external_id' and source = p->'ref'->>'source') then
    created := nextval('ticket_id_seq');
    insert into ticket_ref (external_id, source, ticket) values (p->'ref'->>'external_id', p->'ref'->>'source', created)
    on conflict do nothing;
    if found then
      return ticket_answer(201, 'created', insert_ticket(created, p, requester_of(p->'requester', p_actor), null, p_actor), created);
    end if;
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
      return ticket_answer(201, 'followed_up',
        insert_ticket(created, p, requester_of(p->'requester', p_actor), before.id, p_actor), created);
    else
      return report_ticket(before, p, 'reopened', p_actor);
  end case;
end
$$;

create or replace function update_ticket(before ticket, p jsonb, p_actor text) returns answer language plpgsql as $$
declare
  said bigint := said_message(before, p->'message');
  speaks boolean := p ? 'message' and said is null;
  more jsonb := case when speaks then '{}'::jsonb end;
  changed boolean;
begin
  if p ? 'orders' then
    more := coalesce(order_differences(before.id, link_orders(before.id, p->'orders', p_actor), '{}'), more);
  end if;
  changed := change_ticket(before, p, more, p_actor);
  if speaks then said := append_message(before.id, p->'message', before.requester, p_actor); end if;
  return ticket_answer(200, case when changed then 'updated' else 'unchanged' end, said, before.id);
end
$$;

-- The one door for writes. With an idempotency key the answer is kept in the write's own transaction, so a write that happened is always
-- recognised and one that did not is never taken for done. A second caller with the same key waits for the first one's end.
create or replace function write(p_operation text, p jsonb, p_actor text, p_scope text, p_key text, p_hash bytea)
returns answer language plpgsql as $$
declare
  kept idempotency;
  done answer;
begin
  if p_key is not null then
    perform pg_advisory_xact_lock(hashtextextended(p_key, hashtext(p_scope)));
    select * into kept from idempotency i where i.key = p_key and i.scope = p_scope;
    if found then
      if kept.hash <> p_hash then
        raise exception using errcode = 'DK422', message = 'this idempotency key was used before with another request';
      end if;
      return (kept.status, kept.result, kept.message, kept.version, kept.body, true)::answer;
    end if;
  end if;
  case p_operation
    when 'create_contact' then done := create_contact(p, p_actor);
    when 'patch_contact' then done := patch_contact(p, p_actor);
    when 'put_contact' then done := put_contact(p, p_actor);
    when 'put_order' then done := put_order(p, p_actor);
    when 'create_ticket' then done := create_ticket(p, p_actor);
    when 'put_ticket' then done := put_ticket(p, p_actor);
    when 'patch_ticket' then done := patch_ticket(p, p_actor);
    when 'add_message' then done := add_message(p, p_actor);
    when 'link_order' then done := link_order(p, p_actor);
    when 'unlink_order' then done := unlink_order(p, p_actor);
    -- The rarer ones, by their names: what comes with later migrations needs no line here. Planned anew each time.
    else execute format('select * from %I($1, $2)', p_operation) into done using p, p_actor;
  end case;
  if p_key is not null then
    insert into idempotency (key, scope, hash, status, result, message, version, body)
    values (p_key, p_scope, p_hash, done.status, done.result, done.message, done.version, done.body);
  end if;
  return done;
end
$$;
