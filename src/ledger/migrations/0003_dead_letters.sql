-- Dead letters: those that hold their lane, what they were made of, and what people did about them.

-- A dead delivery that holds its lane stays at status 0 and is due at 'infinity': the head of its lane, which never comes due by itself.
-- So the hot queries need no case of their own for it, and delivery_due finds all of them at its end.
alter table delivery
  -- In place of the event's data, for this delivery only.
  add column data json,
  -- An earlier attempt at it, or an earlier delivery of the same event and flow, may have sent something already.
  add column again boolean not null default false,
  -- When a replay made it; null for one that came with its event.
  add column replayed_at timestamptz;

alter table attempt
  -- The version of the configuration that it was made with.
  add column config text,
  -- What the flow mapped to, kept of an attempt that ended dead.
  add column operations json;

-- What people did about deliveries: retried, edited, discarded, resolved, replayed.
create table intervention (
  delivery bigint not null,
  id bigint generated always as identity,
  kind text not null,
  happened_at timestamptz not null default clock_timestamp(),
  details json not null,
  primary key (delivery, id)
);

alter type mail add attribute again boolean;

create or replace function lane_mail(p_target text, p_lane text, p_take integer) returns setof mail
language sql stable as $$
  select m.id, m.sequence, m.flow, m.attempts, e.connection, e.event_id, e.type, e.subject, e.happened_at, e.received_at,
    coalesce(m.data, e.data)::text, e.raw::text, m.again
  from (
    select d.*, bool_and(d.due_at <= clock_timestamp()) over (order by d.id) as due
    from (
      select id, sequence, flow, attempts, due_at, data, again from delivery
      where status = 0 and target = p_target and lane = p_lane
      order by id limit p_take
    ) d
  ) m
  join event e on e.sequence = m.sequence
  where m.due
  order by m.id
$$;

drop function settle_lanes(
  text[], text[], text[], bigint[], integer[], bigint[], smallint[], double precision[], boolean[], timestamptz[], integer[], text[], text[],
  text[], text[], integer, integer
);

-- Records what became of deliveries, lane by lane, and in the same transaction either finds more due mail (the lease goes on) or gives the
-- lane back. The lease rows stay locked from the first statement on: whoever rings for newer mail waits and then gets the lane. A delivery
-- that is due in 'Infinity' milliseconds is dead and holds its lane.
create function settle_lanes(
  p_target text[], p_lane text[], p_owner text[], p_fence bigint[],
  p_index integer[], p_delivery bigint[], p_status smallint[], p_due_in_ms double precision[], p_counts boolean[],
  p_started timestamptz[], p_duration integer[], p_outcome text[], p_code text[], p_message text[], p_receipts text[],
  p_config text[], p_operations text[],
  p_lease_ms integer, p_take integer
)
returns table (lane_index integer, held boolean, kept boolean, next_due_ms double precision, letter mail)
language plpgsql set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
  held_lanes bigint[];
  kept_lanes bigint[];
  held_due double precision[];
begin
  with held as materialized (
    select a.i
    from unnest(p_target, p_lane, p_owner, p_fence) with ordinality as a(target, lane, owner, fence, i)
    join lane_lease l on l.target = a.target and l.lane = a.lane
    where l.owner = a.owner and l.fence = a.fence
    order by l.target, l.lane
    for update of l
  ), settled as materialized (
    select s.* from unnest(p_index, p_delivery, p_status, p_due_in_ms, p_counts, p_started, p_duration, p_outcome, p_code, p_message, p_receipts,
        p_config, p_operations)
      as s(index, delivery, status, due_in_ms, counts, started, duration, outcome, code, message, receipts, config, operations)
    where exists (select 1 from held h where h.i = s.index)
  ), updated as (
    update delivery d set
      status = s.status,
      attempts = d.attempts + s.counts::integer,
      due_at = case when s.due_in_ms = 'Infinity' then 'infinity'
        else coalesce(clock_timestamp() + s.due_in_ms * interval '1 millisecond', d.due_at) end,
      finished_at = case when s.status <> 0 or s.due_in_ms = 'Infinity' then clock_timestamp() end,
      again = d.again or s.counts or s.receipts <> '[]',
      code = s.code,
      reason = s.message
    from settled s
    where d.id = s.delivery and d.status = 0
    returning d.id, d.attempts, s.started, s.duration, s.outcome, s.code, s.message, s.receipts, s.config, s.operations
  ), recorded as (
    insert into attempt (delivery, number, started_at, duration_ms, outcome, code, message, receipts, config, operations)
    select u.id, u.attempts, u.started, u.duration, u.outcome, u.code, u.message, u.receipts::json, u.config, u.operations::json
    from updated u
  )
  select coalesce(array_agg(h.i), '{}') into held_lanes from held h;

  with head as materialized (
    select g.i, p_target[g.i] as target, p_lane[g.i] as lane, d.due_at,
      coalesce(d.due_at <= clock_timestamp(), false)
        and not exists (select 1 from target_pause p where p.target = p_target[g.i] and p.until > clock_timestamp()) as more
    from unnest(held_lanes) as g(i)
    left join lateral (
      select due_at from delivery where status = 0 and target = p_target[g.i] and lane = p_lane[g.i] order by id limit 1
    ) d on true
  ), freed as (
    delete from lane_lease l using head h where l.target = h.target and l.lane = h.lane and not h.more
  ), prolonged as (
    update lane_lease l set until = clock_timestamp() + p_lease_ms * interval '1 millisecond'
    from head h where l.target = h.target and l.lane = h.lane and h.more
  )
  select array_agg(h.i),
    array_agg(case when isfinite(h.due_at) then extract(epoch from h.due_at - clock_timestamp())::double precision * 1000 end),
    coalesce(array_agg(h.i) filter (where h.more), '{}')
  into held_lanes, held_due, kept_lanes from head h;

  return query
    select h.i::integer, true, false, h.due_ms, null::mail
    from unnest(held_lanes, held_due) as h(i, due_ms) where h.i <> all (kept_lanes);
  if cardinality(kept_lanes) = 0 then return; end if;
  return query
    select h.i::integer, true, true, h.due_ms, m
    from unnest(held_lanes, held_due) as h(i, due_ms)
    left join lateral lane_mail(p_target[h.i], p_lane[h.i], p_take) m on true
    where h.i = any (kept_lanes);
end
$$;
