-- What is sent to webhooks, when, and what came of it.

create function object_name(p_type text, p_object bigint) returns text language sql immutable as $$
  select case split_part(p_type, '.', 1)
    when 'ticket' then 'tkt' when 'message' then 'msg' when 'contact' then 'con' when 'order' then 'ord'
    when 'attachment' then 'att' else split_part(p_type, '.', 1)
  end || '_' || p_object
$$;

-- The name of the event that a delivery is about: that of the change, so that it is the same in the feed.
create function event_name(d webhook_delivery) returns text language sql stable as $$
  select case when d.change_id is null then 'evt_test_' || d.id else 'evt_' || d.change_id end
$$;

create function webhook_delivery_json(d webhook_delivery) returns text language plpgsql stable as $$
begin
  return json_build_object(
    'id', 'whd_' || d.id,
    'webhook_id', 'whk_' || d.webhook,
    'event_id', event_name(d),
    'type', d.type,
    'object_id', object_name(d.type, d.object),
    'ticket_id', 'tkt_' || d.ticket,
    'reason', d.reason,
    'state', d.state,
    'attempts', d.attempts,
    'next_attempt_at', stamp(case when d.state = 'pending' then d.due_at end),
    'request_body', d.body,
    'log', d.log,
    'erased', d.erased,
    'created_at', stamp(d.created_at),
    'ended_at', stamp(d.ended_at)
  )::text;
end
$$;

-- What is sent: the change as the feed shows it, with the object as it is now.
create function webhook_body(d webhook_delivery) returns text language plpgsql stable as $$
declare
  kind text := split_part(d.type, '.', 1);
  now_is text;
begin
  if d.change_id is null then
    return json_build_object(
      'type', d.type, 'timestamp', stamp(d.created_at), 'id', event_name(d), 'sequence', null, 'time', stamp(d.created_at), 'actor', null,
      'object_id', 'whk_' || d.webhook, 'ticket_id', null, 'data', json_build_object(), 'object', null
    )::text;
  end if;
  now_is := case kind
    when 'ticket' then (select ticket_json(t) from ticket t where t.id = d.object)
    when 'message' then (select message_json(m) from message m where m.id = d.object)
    when 'contact' then (select contact_json(c) from contact c where c.id = d.object)
    when 'order' then (select order_json(o) from sales_order o where o.id = d.object)
  end;
  return (
    select json_build_object(
      'type', c.type,
      'timestamp', stamp(c.at),
      'id', 'evt_' || c.id,
      'sequence', lpad(to_hex(c.tx), 13, '0') || lpad(to_hex(c.id), 13, '0'),
      'time', stamp(c.at),
      'actor', c.actor,
      'object_id', object_name(c.type, c.object),
      'ticket_id', 'tkt_' || c.ticket,
      'data', c.data,
      'object', now_is::json
    )::text
    from change c where c.tx = d.change_tx and c.id = d.change_id
  );
end
$$;

create function delivery_answer(p_status integer, p_result text, p_delivery bigint) returns answer language plpgsql as $$
begin
  return (
    select (p_status::smallint, p_result, null::bigint, null::integer, webhook_delivery_json(d), false)::answer
    from webhook_delivery d where d.id = p_delivery
  );
end
$$;

create function test_webhook(p jsonb, p_actor text) returns answer language plpgsql as $$
declare
  target webhook := lock_webhook(p);
  created bigint;
begin
  insert into webhook_delivery (webhook, reason, type, lane, state, due_at)
  values (target.id, 'test', 'webhook.test', 'test', 'pending', (p->>'now')::timestamptz)
  returning id into created;
  return delivery_answer(202, 'created', created);
end
$$;

-- Sends a delivery again, now, whatever became of it; its time for being tried begins anew.
create function retry_webhook_delivery(p jsonb, p_actor text) returns answer language plpgsql as $$
declare
  target webhook := lock_webhook(p);
begin
  update webhook_delivery set state = 'pending', due_at = (p->>'now')::timestamptz, lease = null, first_at = null, ended_at = null
  where id = (p->>'delivery')::bigint and webhook = target.id;
  if not found then raise exception using errcode = 'DK404', message = 'there is no delivery of this id'; end if;
  return delivery_answer(202, 'updated', (p->>'delivery')::bigint);
end
$$;

-- Adds deliveries for changes, in their order. Where the webhook asks for order, only the first of a lane may be sent.
create function add_webhook_deliveries(p_webhook webhook, p_reason webhook_reason, p_changes change[], p_now timestamptz) returns void
language plpgsql as $$
begin
  insert into webhook_delivery (webhook, reason, change_tx, change_id, type, object, ticket, contact, lane, state, due_at)
  select p_webhook.id, p_reason, n.tx, n.id, n.type, n.object, n.ticket,
    case split_part(n.type, '.', 1)
      when 'contact' then n.object
      when 'ticket' then (select t.requester from ticket t where t.id = n.object)
      when 'message' then (select m.author_contact from message m where m.id = n.object)
    end,
    n.lane,
    case
      when p_webhook.ordering = 'ticket' and (n.place > 1 or exists (
        select from webhook_delivery o where o.webhook = p_webhook.id and o.lane = n.lane and o.state in ('waiting', 'pending')
      )) then 'waiting' else 'pending'
    end::webhook_state,
    p_now
  from (
    select l.*, row_number() over (partition by l.lane order by l.tx, l.id) as place
    from (
      select c.*, coalesce('ticket ' || c.ticket, split_part(c.type, '.', 1) || ' ' || c.object) as lane from unnest(p_changes) as c
    ) as l
  ) as n
  order by n.tx, n.id;
end
$$;

-- Whether one of the patterns is `*`, the type, or its kind's `ticket.*`.
create function wants_type(p_patterns text[], p_type text) returns boolean language sql immutable as $$
  select p_patterns && array['*', p_type, split_part(p_type, '.', 1) || '.*']
$$;

create function replay_webhook(p jsonb, p_actor text) returns answer language plpgsql as $$
declare
  target webhook := lock_webhook(p);
  most integer := (p->>'most')::integer;
  found_changes change[];
begin
  found_changes := array(
    select c from change c
    where c.at >= (p->>'from')::timestamptz and c.at < (p->>'until')::timestamptz
      and wants_type(target.events, c.type)
      and (c.tx, c.id) <= (target.cursor_tx, target.cursor_id)
    order by c.tx, c.id limit most + 1
  );
  if cardinality(found_changes) > most then
    raise exception using errcode = 'DK400', message = format('the range holds more than %s changes; replay it in parts', most);
  end if;
  perform add_webhook_deliveries(target, 'replay', found_changes, (p->>'now')::timestamptz);
  return (202::smallint, 'created', null::bigint, null::integer,
    json_build_object('webhook_id', 'whk_' || target.id, 'deliveries', cardinality(found_changes))::text, false)::answer;
end
$$;

-- Turns the next changes into deliveries and moves the webhook on in the feed. Does nothing while enough are due, or while attempts fail one
-- after the other: the feed keeps them. Returns whether there may be more to turn.
create function fan_out_webhook(p_webhook bigint, p_limit integer, p_most_failures integer, p_now timestamptz) returns boolean
language plpgsql as $$
declare
  target webhook;
  looked change[];
  last change;
begin
  select * into target from webhook where id = p_webhook;
  looked := next_changes(target.cursor_tx, target.cursor_id, 1);
  if cardinality(looked) = 0 then return false; end if;
  perform lock_webhook_lanes(p_webhook, true);
  select * into target from webhook where id = p_webhook and enabled and failures < p_most_failures for update;
  if not found or p_limit <= (
    select count(*) from (
      select from webhook_delivery d where d.webhook = p_webhook and d.state = 'pending' and d.due_at <= p_now limit p_limit
    ) as due
  ) then return false; end if;
  looked := next_changes(target.cursor_tx, target.cursor_id, p_limit);
  if cardinality(looked) = 0 then return false; end if;
  perform add_webhook_deliveries(target, 'change', array(select c from unnest(looked) as c where wants_type(target.events, c.type)), p_now);
  last := looked[cardinality(looked)];
  update webhook set cursor_tx = last.tx, cursor_id = last.id where id = p_webhook;
  return cardinality(looked) = p_limit;
end
$$;

create function next_changes(p_tx bigint, p_id bigint, p_limit integer) returns change[] language plpgsql stable as $$
begin
  return array(
    select c from change c
    where (c.tx, c.id) > (p_tx, p_id)
      and c.tx < pg_snapshot_xmin(pg_current_snapshot())::text::bigint + (select value from feed_offset)
    order by c.tx, c.id limit p_limit
  );
end
$$;

-- Hands out deliveries that are due, to be sent by the time given. Of a webhook that is switched off or paused only tests.
create function take_webhook_deliveries(p_webhook bigint, p_limit integer, p_lease text, p_until timestamptz, p_now timestamptz)
returns setof webhook_delivery language plpgsql as $$
begin
  return query
  update webhook_delivery d set lease = p_lease, due_at = p_until, attempts = d.attempts + 1, first_at = coalesce(d.first_at, p_now)
  from (
    select o.id from webhook_delivery o join webhook w on w.id = o.webhook
    where o.webhook = p_webhook and o.state = 'pending' and o.due_at <= p_now
      and (o.reason = 'test' or (w.enabled and coalesce(w.paused_until <= p_now, true)))
    order by o.due_at, o.id limit p_limit
    for update of o skip locked
  ) as due
  where d.id = due.id
  returning d.*;
end
$$;

-- Writes down how an attempt ended. False when the delivery is no longer ours: another one has it, or it is gone.
-- p: {result: delivered|retry|failed, due_at, paused_until, disabled_reason, body, log: {…}}
create function settle_webhook_delivery(p_delivery bigint, p_lease text, p jsonb, p_now timestamptz) returns boolean language plpgsql as $$
declare
  settled webhook_delivery;
  result text := p->>'result';
begin
  select * into settled from webhook_delivery where id = p_delivery and lease = p_lease;
  if not found then return false; end if;
  perform lock_webhook_lanes(settled.webhook, false);
  update webhook_delivery d set
    state = case result when 'retry' then 'pending' else result::webhook_state end,
    due_at = coalesce((p->>'due_at')::timestamptz, p_now),
    lease = null,
    body = case when not d.erased then p->>'body' end,
    log = case when d.erased then d.log || jsonb_build_array((p->'log') - 'answer') else d.log || jsonb_build_array(p->'log') end,
    ended_at = case when result <> 'retry' then p_now end
  where d.id = p_delivery and d.lease = p_lease
  returning * into settled;
  if not found then return false; end if;
  if result <> 'retry' then
    update webhook_delivery d set state = 'pending', due_at = p_now
    where d.id = (
      select min(o.id) from webhook_delivery o where o.webhook = settled.webhook and o.lane = settled.lane and o.state = 'waiting'
    ) and not exists (
      select from webhook_delivery o where o.webhook = settled.webhook and o.lane = settled.lane and o.state = 'pending'
    );
  end if;
  if result = 'delivered' then
    update webhook w set failures = 0, failing_since = (
      select min(o.first_at) from webhook_delivery o
      where o.webhook = w.id and o.state = 'pending' and o.attempts > 0 and o.log <> '[]' and o.reason <> 'test'
    )
    where w.id = settled.webhook and (w.failures > 0 or w.failing_since is not null);
  elsif settled.reason <> 'test' then
    update webhook w set
      failures = w.failures + 1,
      failing_since = coalesce(w.failing_since, p_now),
      paused_until = coalesce((p->>'paused_until')::timestamptz, w.paused_until),
      enabled = w.enabled and p->>'disabled_reason' is null,
      disabled_reason = coalesce(p->>'disabled_reason', w.disabled_reason)
    where w.id = settled.webhook;
  end if;
  return true;
end
$$;

-- What was sent and answered about a contact, or in its tickets, goes with the contact.
create function erase_webhook_deliveries() returns trigger language plpgsql as $$
begin
  update webhook_delivery d set erased = true, body = null, log = (
    select coalesce(jsonb_agg(entry - 'answer'), '[]') from jsonb_array_elements(d.log) as entry
  )
  where d.id in (
    select o.id from webhook_delivery o where o.contact = new.object
    union all
    select o.id from ticket t join webhook_delivery o on o.ticket = t.id where t.requester = new.object
  );
  return null;
end
$$;
create trigger contact_erased after insert on change
for each row when (new.type = 'contact.deleted') execute function erase_webhook_deliveries();
