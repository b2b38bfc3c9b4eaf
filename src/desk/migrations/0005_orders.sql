-- Orders: kept by the id that they have in their own system, and linked with tickets. Customers are settled before the order is looked at.

create function order_brief(o sales_order) returns json language sql stable as $$
  select json_build_object(
    'id', 'ord_' || o.id,
    'source', o.source,
    'external_id', o.external_id,
    'name', o.name,
    'status', o.status,
    'total', case when o.total_minor is not null then json_build_object('minor', o.total_minor, 'currency', o.total_currency) end,
    'url', o.url
  )
$$;

create function order_json(o sales_order) returns text language plpgsql stable as $$
begin
  return json_build_object(
    'id', 'ord_' || o.id,
    'source', o.source,
    'external_id', o.external_id,
    'name', o.name,
    'status', o.status,
    'total', case when o.total_minor is not null then json_build_object('minor', o.total_minor, 'currency', o.total_currency) end,
    'url', o.url,
    'contact_id', 'con_' || o.contact,
    'states', coalesce((
      select json_agg(json_build_object('status', s.status, 'at', stamp(s.at)) order by s.id)
      from order_state s where s.sales_order = o.id
    ), '[]'),
    'created_at', stamp(coalesce(o.placed_at, o.created_at)),
    'updated_at', stamp(coalesce(o.changed_at, o.updated_at)),
    'version', o.version
  )::text;
end
$$;

-- True when what is given says nothing that the order does not say already.
create function order_knows(o sales_order, p jsonb) returns boolean language plpgsql stable as $$
begin
  return (p->>'name' is null or p->>'name' is not distinct from o.name)
    and (p->>'status' is null or p->>'status' is not distinct from o.status)
    and (p->'total'->>'minor' is null
      or ((p->'total'->>'minor')::bigint, p->'total'->>'currency') is not distinct from (o.total_minor, o.total_currency))
    and (p->>'url' is null or p->>'url' is not distinct from o.url)
    and (p->'customer' is null or (p->'customer'->>'contact')::bigint is not distinct from o.contact)
    and (p->>'created_at' is null or (p->>'created_at')::timestamptz is not distinct from o.placed_at)
    and (p->>'updated_at' is null or (p->>'updated_at')::timestamptz is not distinct from o.changed_at);
end
$$;

create function is_stale(o sales_order, p jsonb) returns boolean language sql stable as $$
  select coalesce((p->>'updated_at')::timestamptz < o.changed_at, false)
$$;

create function note_state(p_order bigint, p jsonb) returns void language plpgsql as $$
begin
  if p->>'status' is not null then
    insert into order_state (sales_order, status, at)
    values (p_order, p->>'status', coalesce((p->>'updated_at')::timestamptz, clock_timestamp()));
  end if;
end
$$;

-- Null when somebody else has just made it.
create function insert_order(p jsonb, p_contact bigint, p_actor text) returns bigint language plpgsql as $$
declare
  created bigint;
begin
  insert into sales_order (source, external_id, name, status, total_minor, total_currency, url, contact, placed_at, changed_at)
  values (
    p->>'source', p->>'external_id', p->>'name', p->>'status',
    (p->'total'->>'minor')::bigint, p->'total'->>'currency', p->>'url', p_contact,
    (p->>'created_at')::timestamptz, (p->>'updated_at')::timestamptz
  )
  on conflict do nothing
  returning id into created;
  if created is not null then
    perform note_state(created, p);
    perform record_change('order.created', created, null, p_actor);
  end if;
  return created;
end
$$;

-- Makes the order or brings it up to date; what is not given stays, and a state that is older than ours changes nothing. The customer is {contact}.
create function store_order(p jsonb, p_actor text, out id bigint, out result text) language plpgsql as $$
#variable_conflict use_column
declare
  before sales_order;
  customer bigint := (p->'customer'->>'contact')::bigint;
begin
  select * into before from sales_order o where o.external_id = p->>'external_id' and o.source = p->>'source';
  id := before.id;
  result := 'unchanged';
  if id is not null and order_knows(before, p) then return; end if;
  if id is null then
    id := insert_order(p, customer, p_actor);
    result := 'created';
    if id is not null then return; end if;
  end if;
  select * into before from sales_order o where o.external_id = p->>'external_id' and o.source = p->>'source' for update;
  id := before.id;
  result := 'ignored';
  if is_stale(before, p) then return; end if;
  result := 'updated';
  update sales_order o set
    name = coalesce(p->>'name', o.name),
    status = coalesce(p->>'status', o.status),
    total_minor = coalesce((p->'total'->>'minor')::bigint, o.total_minor),
    total_currency = coalesce(p->'total'->>'currency', o.total_currency),
    url = coalesce(p->>'url', o.url),
    contact = coalesce(customer, o.contact),
    placed_at = coalesce((p->>'created_at')::timestamptz, o.placed_at),
    changed_at = coalesce((p->>'updated_at')::timestamptz, o.changed_at),
    updated_at = clock_timestamp(),
    version = o.version + 1
  where o.id = before.id;
  if p->>'status' is distinct from before.status then perform note_state(before.id, p); end if;
  perform record_change('order.updated', before.id, null, p_actor);
end
$$;

create function put_order(p jsonb, p_actor text) returns answer language plpgsql as $$
declare
  stored record;
begin
  if p ? 'customer' then
    p := p || jsonb_build_object('customer', jsonb_build_object('contact', claim_contact(p->'customer', p_actor)));
  end if;
  stored := store_order(p, p_actor);
  return (
    select (case stored.result when 'created' then 201 else 200 end::smallint, stored.result, null::bigint, o.version, order_json(o), false)::answer
    from sales_order o where o.id = stored.id
  );
end
$$;

-- Links a ticket with orders, which are made or brought up to date first; returns those that are new to it.
create function link_orders(p_ticket bigint, p_orders jsonb, p_actor text) returns text[] language plpgsql as $$
declare
  wanted jsonb;
  wanted_id bigint;
  added text[] := '{}';
begin
  -- Sorted, so that two writers never wait for each other.
  for wanted in select o from jsonb_array_elements(p_orders) as o order by o->>'external_id', o->>'source' loop
    wanted_id := (store_order(wanted, p_actor)).id;
    insert into ticket_order (ticket, sales_order) values (p_ticket, wanted_id) on conflict do nothing;
    if found then added := added || ('ord_' || wanted_id); end if;
  end loop;
  return added;
end
$$;

-- {orders: [from, to]}, or null when nothing was added or taken away.
create function order_differences(p_ticket bigint, p_added text[], p_removed text[]) returns jsonb language plpgsql as $$
declare
  present jsonb;
begin
  if p_added = '{}' and p_removed = '{}' then return null; end if;
  select coalesce(jsonb_agg('ord_' || l.sales_order order by l.sales_order), '[]') into present from ticket_order l where l.ticket = p_ticket;
  return jsonb_build_object('orders', jsonb_build_array((present - p_added) || to_jsonb(p_removed), present));
end
$$;

create function link_order(p jsonb, p_actor text) returns answer language plpgsql as $$
declare
  before ticket := lock_ticket(p);
  added text[] := '{}';
begin
  if p ? 'orders' then
    added := link_orders(before.id, p->'orders', p_actor);
  else
    if not exists (select from sales_order where id = (p->>'order')::bigint) then
      raise exception using errcode = 'DK404', message = 'there is no order of this id';
    end if;
    insert into ticket_order (ticket, sales_order) values (before.id, (p->>'order')::bigint) on conflict do nothing;
    if found then added := array['ord_' || (p->>'order')]; end if;
  end if;
  return ticket_answer(200, case
    when change_ticket(before, '{}', order_differences(before.id, added, '{}'), p_actor) then 'updated' else 'unchanged'
  end, null, before.id);
end
$$;

create function unlink_order(p jsonb, p_actor text) returns answer language plpgsql as $$
declare
  before ticket := lock_ticket(p);
  removed text[] := '{}';
begin
  delete from ticket_order where ticket = before.id and sales_order = (p->>'order')::bigint;
  if found then removed := array['ord_' || (p->>'order')]; end if;
  return ticket_answer(200, case
    when change_ticket(before, '{}', order_differences(before.id, '{}', removed), p_actor) then 'updated' else 'unchanged'
  end, null, before.id);
end
$$;
