-- Several writes in one statement, one after the other, each by itself: one that is refused is undone alone and told with its reason. What is wrong with
-- the statement as a whole (a deadlock, a lock that did not come) undoes all of it.

create type batch_answer as (
  place integer, status smallint, result text, message bigint, version integer, body text, replayed boolean,
  fault text, fault_message text, fault_detail text
);

-- p: [{operation, input, actor, scope, key, hash (hex)}]
create function write_many(p jsonb) returns setof batch_answer language plpgsql as $$
declare
  item jsonb;
  done answer;
  place integer := 0;
  said text;
  detail text;
begin
  for item in select value from jsonb_array_elements(p) loop
    begin
      done := write(item->>'operation', item->'input', item->>'actor', item->>'scope', item->>'key', decode(item->>'hash', 'hex'));
      return next (place, done.status, done.result, done.message, done.version, done.body, done.replayed, null, null, null)::batch_answer;
    exception when others then
      if sqlstate not like 'DK%' and sqlstate not like '22%' and sqlstate not like '23%' then
        raise;
      end if;
      get stacked diagnostics said = message_text, detail = pg_exception_detail;
      return next (place, null, null, null, null, null, null, sqlstate, said, detail)::batch_answer;
    end;
    place := place + 1;
  end loop;
end
$$;
