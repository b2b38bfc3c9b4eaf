-- The access token of a connection, encrypted with a secret of its settings. Its row is locked while one process renews it.
create table connection_token (
  connection text primary key,
  sealed text,
  kept_at timestamptz not null default clock_timestamp()
);
