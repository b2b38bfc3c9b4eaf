-- By how much each fold changed what was open: from the day on to the next of the same group and fold. Who reads what changed since the last time finds here
-- which days have another backlog. A read of the figures by day begins it, and it is kept for some weeks.
create table metric_gain (
  batch bigint not null,
  grouping smallint not null,
  day integer not null,
  key text not null,
  gain integer not null,
  folded_at timestamptz not null default now(),
  primary key (batch, grouping, day, key)
);
-- What folds after this one changed is all there; null while nobody has asked.
alter table metric_fold add column gains_from bigint;
