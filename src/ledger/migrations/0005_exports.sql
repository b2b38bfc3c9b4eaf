-- Exports: their runs, where each of their tables stands, and who runs which right now.

create sequence export_run_number;

-- state: 0 running, 1 done, 2 failed, 3 aborted.
create table export_run (
  run bigint primary key default nextval('export_run_number'),
  export text not null,
  trigger text not null,
  mode text not null,
  days_from date,
  days_until date,
  config text not null,
  -- The time of its timetable that it is for.
  due_at timestamptz,
  started_at timestamptz not null default clock_timestamp(),
  finished_at timestamptz,
  state smallint not null default 0,
  code text,
  message text
);

create index export_run_export on export_run (export, run);

create table export_run_table (
  run bigint not null references export_run on update cascade on delete cascade,
  table_name text not null,
  dataset text not null,
  state smallint not null default 0,
  rows_read bigint not null,
  inserted bigint not null,
  updated bigint not null,
  deleted bigint not null,
  bytes bigint not null,
  commits integer not null,
  seconds double precision not null,
  watermark_from text,
  watermark_to text,
  as_of timestamptz,
  schema_version integer not null,
  left_out json not null,
  code text,
  message text,
  primary key (run, table_name)
);

-- What the engine goes by where a warehouse does not keep it itself, and what `export status` shows.
create table export_table (
  export text not null,
  table_name text not null,
  dataset text not null,
  sink text not null,
  watermark text not null,
  columns json not null,
  schema_version integer not null,
  as_of timestamptz,
  run bigint not null,
  moved_at timestamptz not null default clock_timestamp(),
  primary key (export, table_name)
);

-- The right to run an export: one process a time. Vouched for like the leases of lanes, so that a process that died holds none.
create table export_lease (
  export text primary key,
  owner text not null,
  run bigint not null,
  until timestamptz not null
);

-- Since when an export has its timetable: what was due before that was not missed.
create table export_schedule (
  export text primary key,
  cron text not null,
  timezone text not null,
  since timestamptz not null default clock_timestamp()
);

-- The transaction that last changed a delivery, for those who read what changed. Not an instant: transactions do not end in the order of their times.
alter table delivery add column changed bigint not null default 0;
alter table delivery alter column changed set default pg_current_xact_id()::text::bigint;
-- As cheap to keep as an index can be; looks at the pages that were written to lately.
create index delivery_changed on delivery using brin (changed) with (pages_per_range = 16, autosummarize = on);
create index event_received on event using brin (received_at) with (pages_per_range = 32, autosummarize = on);

-- A trigger, so that no statement can forget it.
create function delivery_changed() returns trigger language plpgsql as $$
begin
  new.changed := pg_current_xact_id()::text::bigint;
  return new;
end
$$;

create trigger delivery_changed before update on delivery for each row execute function delivery_changed();
