-- The mailbox: events, the deliveries made of them, the attempts at those, and who works on which lane.

create table event (
  sequence bigint generated always as identity primary key,
  connection text not null,
  event_id text not null,
  type text not null,
  subject text not null,
  happened_at timestamptz not null,
  received_at timestamptz not null,
  via text not null,
  -- Read whole or not at all, so plain json, which also keeps what jsonb refuses (an escaped NUL).
  data json not null,
  raw json,
  unique (connection, event_id)
);

-- status: 0 pending, 1 done, 2 skipped, 3 dead. priority: 0 live, 1 backfill.
create table delivery (
  id bigint generated always as identity primary key,
  sequence bigint not null,
  flow text not null,
  target text not null,
  lane text not null,
  priority smallint not null,
  status smallint not null,
  attempts integer not null default 0,
  due_at timestamptz not null default clock_timestamp(),
  finished_at timestamptz,
  code text,
  reason text
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000);

-- Hot queries touch pending rows only; these two are as large as the backlog, whatever the history.
create index delivery_pending on delivery (target, lane, id) include (due_at) where status = 0;
create index delivery_due on delivery (due_at, id) where status = 0;
create index delivery_dead on delivery (id) where status = 3;
create index delivery_sequence on delivery (sequence);

create table attempt (
  delivery bigint not null,
  id bigint generated always as identity,
  number integer not null,
  started_at timestamptz not null,
  duration_ms integer not null,
  outcome text not null,
  code text,
  message text,
  receipts json not null,
  primary key (delivery, id)
);

-- Unlogged: after a crash of PostgreSQL every lane is free, which is what its workers need, and leasing costs no commit to disk.
create unlogged table lane_lease (
  target text not null,
  lane text not null,
  owner text not null,
  fence bigint not null,
  until timestamptz not null,
  primary key (target, lane)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

create sequence lease_fence;

create table target_pause (
  target text primary key,
  until timestamptz not null,
  reason text not null
);

create table source_cursor (
  connection text not null,
  source text not null,
  cursor json not null,
  moved_at timestamptz not null default clock_timestamp(),
  primary key (connection, source)
);

create type mail as (
  delivery bigint,
  sequence bigint,
  flow text,
  attempts integer,
  connection text,
  event_id text,
  type text,
  subject text,
  happened_at timestamptz,
  received_at timestamptz,
  data text,
  raw text
);

-- The due mail at the head of a lane, in order, up to the first delivery that is not due.
create function lane_mail(p_target text, p_lane text, p_take integer) returns setof mail
language sql stable as $$
  select m.id, m.sequence, m.flow, m.attempts, e.connection, e.event_id, e.type, e.subject, e.happened_at, e.received_at, e.data::text, e.raw::text
  from (
    select d.*, bool_and(d.due_at <= clock_timestamp()) over (order by d.id) as due
    from (
      select id, sequence, flow, attempts, due_at from delivery
      where status = 0 and target = p_target and lane = p_lane
      order by id limit p_take
    ) d
  ) m
  join event e on e.sequence = m.sequence
  where m.due
  order by m.id
$$;

create function lane_head_due(p_target text, p_lane text) returns timestamptz
language sql stable as $$
  select due_at from delivery where status = 0 and target = p_target and lane = p_lane order by id limit 1
$$;

-- Leases those of the lanes that have due mail and are free, then reads their mail. Two statements on purpose: the second one has its own
-- snapshot, taken when the leases are ours, so mail that the last holder finished while we waited for its row is not seen again. The plans are
-- generic on purpose: planning anew for each call costs several times what the call itself does.
create function claim_lanes(p_target text[], p_lane text[], p_owner text, p_lease_ms integer, p_take integer)
returns table (lane_index integer, fence bigint, paused_ms double precision, letter mail)
language plpgsql set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
  got_index bigint[];
  got_fence bigint[];
begin
  with asked as materialized (
    select a.target, a.lane, a.i
    from unnest(p_target, p_lane) with ordinality as a(target, lane, i)
    cross join lateral (
      select d.due_at from delivery d where d.status = 0 and d.target = a.target and d.lane = a.lane order by d.id limit 1
    ) head
    where head.due_at <= clock_timestamp()
      and not exists (select 1 from target_pause p where p.target = a.target and p.until > clock_timestamp())
    order by a.target, a.lane
  ), got as (
    insert into lane_lease as l (target, lane, owner, fence, until)
    select a.target, a.lane, p_owner, nextval('lease_fence'), clock_timestamp() + p_lease_ms * interval '1 millisecond'
    from asked a
    on conflict on constraint lane_lease_pkey do update
      set owner = excluded.owner, fence = excluded.fence, until = excluded.until
      where l.until <= clock_timestamp()
    returning l.target, l.lane, l.fence
  )
  select array_agg(a.i), array_agg(g.fence) into got_index, got_fence
  from got g join asked a on a.target = g.target and a.lane = g.lane;

  return query
    select min(a.i)::integer, null::bigint, extract(epoch from p.until - clock_timestamp())::double precision * 1000, null::mail
    from unnest(p_target) with ordinality as a(target, i)
    join target_pause p on p.target = a.target and p.until > clock_timestamp()
    group by p.target, p.until;

  return query
    select g.i::integer, g.fence, null::double precision, m
    from unnest(got_index, got_fence) as g(i, fence)
    left join lateral lane_mail(p_target[g.i], p_lane[g.i], p_take) m on true;
end
$$;

-- Records what became of deliveries, lane by lane, and in the same transaction either finds more due mail (the lease goes on) or gives the
-- lane back. The lease rows stay locked from the first statement on: whoever rings for newer mail waits and then gets the lane.
create function settle_lanes(
  p_target text[], p_lane text[], p_owner text[], p_fence bigint[],
  p_index integer[], p_delivery bigint[], p_status smallint[], p_due_in_ms double precision[], p_counts boolean[],
  p_started timestamptz[], p_duration integer[], p_outcome text[], p_code text[], p_message text[], p_receipts text[],
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
    select s.* from unnest(p_index, p_delivery, p_status, p_due_in_ms, p_counts, p_started, p_duration, p_outcome, p_code, p_message, p_receipts)
      as s(index, delivery, status, due_in_ms, counts, started, duration, outcome, code, message, receipts)
    where exists (select 1 from held h where h.i = s.index)
  ), updated as (
    update delivery d set
      status = s.status,
      attempts = d.attempts + s.counts::integer,
      due_at = coalesce(clock_timestamp() + s.due_in_ms * interval '1 millisecond', d.due_at),
      finished_at = case when s.status <> 0 then clock_timestamp() end,
      code = s.code,
      reason = s.message
    from settled s
    where d.id = s.delivery and d.status = 0
    returning d.id, d.attempts, s.started, s.duration, s.outcome, s.code, s.message, s.receipts
  ), recorded as (
    insert into attempt (delivery, number, started_at, duration_ms, outcome, code, message, receipts)
    select u.id, u.attempts, u.started, u.duration, u.outcome, u.code, u.message, u.receipts::json from updated u
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
  select array_agg(h.i), array_agg(extract(epoch from h.due_at - clock_timestamp())::double precision * 1000),
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
