-- Sums of the metrics by day, folded in by the upkeep after what they come from.

-- The facts of a ticket that are in the sums already, as src/desk/metric-facts.ts reads them.
create table metric_folded (
  ticket bigint primary key,
  facts text not null
);

-- Figures of a UTC day by group, as src/desk/metric-cell.ts packs them: of the whole day, and of its quarters of an hour, those of six hours together. By
-- `flow` the open tickets became more.
create table metric_day (
  grouping smallint not null,
  day integer not null,
  key text not null,
  flow integer not null,
  total text not null,
  night text not null,
  morning text not null,
  afternoon text not null,
  evening text not null,
  batch bigint not null default 0,
  primary key (grouping, day, key) include (flow)
) with (toast_tuple_target = 8160);
-- Packed already. Days of a group fit into a page: fetching them from elsewhere one by one is most of the cost of reading many.
alter table metric_day
  alter column total set storage external, alter column night set storage external, alter column morning set storage external,
  alter column afternoon set storage external, alter column evening set storage external;
create index metric_day_batch on metric_day (batch);
create index metric_day_group on metric_day (grouping, key, day) include (flow);

-- The same of 64 days, numbered as the days are: what was open at the start of a day is the sum of what is before it.
create table metric_flow (
  grouping smallint not null,
  block integer not null,
  key text not null,
  flow integer not null,
  primary key (grouping, block, key) include (flow)
);

-- Where in the changes the sums have got to.
create table metric_fold (
  single boolean primary key default true check (single),
  tx bigint not null,
  id bigint not null,
  -- Folds are numbered, and the figures of a day say which was the last to change them.
  batch bigint not null default 0
);
insert into metric_fold (tx, id) values (0, 0);
