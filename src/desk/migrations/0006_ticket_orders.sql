-- Links between tickets and orders.

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
