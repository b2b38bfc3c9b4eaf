-- What the support metrics count. The facts of a ticket are kept by triggers, in the transaction of the write that they come from, whatever that write is; only
-- a public reply and a ticket's being solved or reopened touch them.

-- One rating a ticket; a later one takes its place.
create table ticket_csat (
  ticket bigint primary key,
  score smallint not null,
  comment text,
  rated_at timestamptz not null default clock_timestamp()
);

-- Only for tickets that were answered or solved. Durations are whole seconds from the ticket's creation, in all and within business hours.
create table ticket_metric (
  ticket bigint primary key,
  replies integer not null default 0,
  first_reply_at timestamptz,
  first_reply_seconds bigint,
  first_reply_business_seconds bigint,
  first_resolved_at timestamptz,
  first_resolution_seconds bigint,
  first_resolution_business_seconds bigint,
  -- Of a ticket that is solved now.
  resolved_at timestamptz,
  resolution_seconds bigint,
  resolution_business_seconds bigint,
  reopens integer not null default 0,
  -- Solved, reopened, solved …
  turns timestamptz[] not null default '{}'
) with (fillfactor = 80);

-- The calendar as it was given, and as stretches of time with the open seconds before each. No stretch at all: always open.
create table business_hours (
  single boolean primary key default true check (single),
  time_zone text not null,
  hours jsonb,
  holidays jsonb not null,
  updated_at timestamptz not null default clock_timestamp()
);

create table business_span (
  opens timestamptz primary key,
  closes timestamptz not null,
  seconds_before bigint not null
);

create function calendar_seconds(p_from timestamptz, p_until timestamptz) returns bigint language plpgsql immutable as $$
begin
  return greatest(0, floor(extract(epoch from p_until - p_from)));
end
$$;

-- The open seconds up to a time; null before the first stretch.
create function business_clock(p_at timestamptz) returns numeric language plpgsql stable as $$
begin
  return (
    select s.seconds_before + extract(epoch from least(p_at, s.closes) - s.opens)
    from business_span s where s.opens <= p_at order by s.opens desc limit 1
  );
end
$$;

create function business_seconds(p_from timestamptz, p_until timestamptz) returns bigint language plpgsql stable as $$
begin
  if not exists (select from business_span) then return calendar_seconds(p_from, p_until); end if;
  return greatest(0, floor(coalesce(business_clock(p_until), 0) - coalesce(business_clock(p_from), 0)));
end
$$;

create function note_reply() returns trigger language plpgsql as $$
declare
  opened timestamptz;
begin
  update ticket_metric set replies = replies + 1 where ticket = new.ticket and first_reply_at is not null;
  if found then return null; end if;
  select created_at into opened from ticket where id = new.ticket;
  -- What a ticket is opened with answers nobody.
  if opened >= now() then return null; end if;
  insert into ticket_metric as m (ticket, replies, first_reply_at, first_reply_seconds, first_reply_business_seconds)
  values (new.ticket, 1, new.created_at, calendar_seconds(opened, new.created_at), business_seconds(opened, new.created_at))
  on conflict (ticket) do update set
    replies = m.replies + 1,
    first_reply_at = excluded.first_reply_at,
    first_reply_seconds = excluded.first_reply_seconds,
    first_reply_business_seconds = excluded.first_reply_business_seconds;
  return null;
end
$$;
create trigger message_reply after insert on message for each row
when (new.direction = 'outbound' and new.visibility = 'public' and new.author_type = 'agent')
execute function note_reply();

create function note_solved() returns trigger language plpgsql as $$
declare
  at timestamptz := coalesce(new.closed_at, clock_timestamp());
  seconds bigint := calendar_seconds(new.created_at, at);
  business bigint := business_seconds(new.created_at, at);
begin
  insert into ticket_metric as m (
    ticket, first_resolved_at, first_resolution_seconds, first_resolution_business_seconds,
    resolved_at, resolution_seconds, resolution_business_seconds, turns
  )
  values (new.id, at, seconds, business, at, seconds, business, array[at])
  on conflict (ticket) do update set
    first_resolved_at = coalesce(m.first_resolved_at, at),
    first_resolution_seconds = coalesce(m.first_resolution_seconds, seconds),
    first_resolution_business_seconds = coalesce(m.first_resolution_business_seconds, business),
    resolved_at = at, resolution_seconds = seconds, resolution_business_seconds = business, turns = m.turns || at;
  return null;
end
$$;
create trigger ticket_created_solved after insert on ticket for each row
when (new.status in ('solved', 'closed'))
execute function note_solved();
create trigger ticket_solved after update of status on ticket for each row
when (new.status in ('solved', 'closed') and old.status not in ('solved', 'closed'))
execute function note_solved();

create function note_reopened() returns trigger language plpgsql as $$
begin
  update ticket_metric set
    reopens = reopens + 1, turns = turns || new.updated_at,
    resolved_at = null, resolution_seconds = null, resolution_business_seconds = null
  where ticket = new.id;
  return null;
end
$$;
create trigger ticket_reopened after update of status on ticket for each row
when (old.status in ('solved', 'closed') and new.status not in ('solved', 'closed'))
execute function note_reopened();

create function csat_json(p_ticket bigint) returns json language plpgsql stable as $$
begin
  return (
    select json_build_object('score', c.score, 'comment', c.comment, 'rated_at', stamp(c.rated_at))
    from ticket_csat c where c.ticket = p_ticket
  );
end
$$;

create function rate_ticket(p jsonb, p_actor text) returns answer language plpgsql as $$
declare
  before ticket := lock_ticket(p);
  earlier ticket_csat;
  fields jsonb := '{}';
begin
  select * into earlier from ticket_csat where ticket = before.id;
  if earlier.score is distinct from (p->>'score')::smallint or earlier.comment is distinct from p->>'comment' then
    insert into ticket_csat (ticket, score, comment, rated_at) values (before.id, (p->>'score')::smallint, p->>'comment', clock_timestamp())
    on conflict (ticket) do update set score = excluded.score, comment = excluded.comment, rated_at = excluded.rated_at;
    -- The comment is not told: changes hold no text of people.
    fields := jsonb_build_object('csat', jsonb_build_array(earlier.score, (p->>'score')::smallint));
  end if;
  return ticket_answer(200, case
    when change_ticket(
      before, case when (p->>'close')::boolean then '{"status": "closed"}'::jsonb else '{}' end, nullif(fields, '{}'), p_actor
    ) then 'updated' else 'unchanged'
  end, null, before.id);
end
$$;

-- What an erased contact said of a ticket goes with them; the score stays.
create function forget_comments() returns trigger language plpgsql as $$
begin
  update ticket_csat c set comment = null from ticket t where t.id = c.ticket and t.requester = new.id;
  return null;
end
$$;
create trigger contact_erased after update of erased_at on contact for each row
when (old.erased_at is null and new.erased_at is not null)
execute function forget_comments();

create function ticket_metric_json(t ticket) returns text language plpgsql stable as $$
begin
  return (
    select json_build_object(
      'ticket_id', 'tkt_' || t.id,
      'created_at', stamp(t.created_at),
      'replies', coalesce(m.replies, 0),
      'reopens', coalesce(m.reopens, 0),
      'one_touch', m.resolved_at is not null and m.reopens = 0 and m.replies <= 1,
      'first_reply_at', stamp(m.first_reply_at),
      'first_resolved_at', stamp(m.first_resolved_at),
      'resolved_at', stamp(m.resolved_at),
      'calendar_seconds', json_build_object(
        'first_reply', m.first_reply_seconds, 'first_resolution', m.first_resolution_seconds, 'full_resolution', m.resolution_seconds
      ),
      'business_seconds', json_build_object(
        'first_reply', m.first_reply_business_seconds, 'first_resolution', m.first_resolution_business_seconds,
        'full_resolution', m.resolution_business_seconds
      ),
      'csat', csat_json(t.id)
    )::text
    from (select) as one left join ticket_metric m on m.ticket = t.id
  );
end
$$;

create function business_hours_json() returns text language plpgsql stable as $$
begin
  return coalesce(
    (
      select json_build_object('time_zone', b.time_zone, 'hours', b.hours, 'holidays', b.holidays, 'updated_at', stamp(b.updated_at))::text
      from business_hours b
    ),
    json_build_object('time_zone', 'UTC', 'hours', null, 'holidays', json_build_array(), 'updated_at', null)::text
  );
end
$$;

-- p: {time_zone, hours, holidays, opens: [seconds since the epoch …], closes: […]}. Durations that are kept already stay as they are.
create function put_business_hours(p jsonb, p_actor text) returns answer language plpgsql as $$
begin
  lock table business_hours in exclusive mode;
  insert into business_hours (time_zone, hours, holidays) values (p->>'time_zone', nullif(p->'hours', 'null'), p->'holidays')
  on conflict (single) do update set
    time_zone = excluded.time_zone, hours = excluded.hours, holidays = excluded.holidays, updated_at = clock_timestamp();
  delete from business_span;
  insert into business_span (opens, closes, seconds_before)
  select to_timestamp(o), to_timestamp(c), coalesce(sum(c - o) over (order by o rows between unbounded preceding and 1 preceding), 0)
  from (
    select o::bigint, c::bigint
    from rows from (jsonb_array_elements_text(p->'opens'), jsonb_array_elements_text(p->'closes')) as s(o, c)
  ) as span;
  return (200::smallint, 'updated', null::bigint, null::integer, business_hours_json(), false)::answer;
end
$$;
