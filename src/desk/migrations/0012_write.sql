-- How everything is written: by the name of an operation, alone or with others.

-- The one door for writes. With an idempotency key the answer is kept in the write's own transaction, so a write that happened is always
-- recognised and one that did not is never taken for done. A second caller with the same key waits for the first one's end.
create function write(p_operation text, p jsonb, p_actor text, p_scope text, p_key text, p_hash bytea)
returns answer language plpgsql as $$
declare
  kept idempotency;
  done answer;
begin
  if p_key is not null then
    perform pg_advisory_xact_lock(hashtextextended(p_key, hashtext(p_scope)));
    select * into kept from idempotency i where i.key = p_key and i.scope = p_scope;
    if found then
      if kept.hash <> p_hash then
        raise exception using errcode = 'DK422', message = 'this idempotency key was used before with another request';
      end if;
      return (kept.status, kept.result, kept.message, kept.version, kept.body, true)::answer;
    end if;
  end if;
  case p_operation
    when 'create_contact' then done := create_contact(p, p_actor);
    when 'patch_contact' then done := patch_contact(p, p_actor);
    when 'put_contact' then done := put_contact(p, p_actor);
    when 'put_order' then done := put_order(p, p_actor);
    when 'create_ticket' then done := create_ticket(p, p_actor);
    when 'put_ticket' then done := put_ticket(p, p_actor);
    when 'patch_ticket' then done := patch_ticket(p, p_actor);
    when 'add_message' then done := add_message(p, p_actor);
    when 'link_order' then done := link_order(p, p_actor);
    when 'unlink_order' then done := unlink_order(p, p_actor);
    -- The rarer ones, by their names: what comes with later migrations needs no line here. Planned anew each time.
    else execute format('select * from %I($1, $2)', p_operation) into done using p, p_actor;
  end case;
  if p_key is not null then
    insert into idempotency (key, scope, hash, status, result, message, version, body)
    values (p_key, p_scope, p_hash, done.status, done.result, done.message, done.version, done.body);
  end if;
  return done;
end
$$;

create type batch_answer as (
  place integer, status smallint, result text, message bigint, version integer, body text, replayed boolean,
  fault text, fault_message text, fault_detail text
);

-- Several writes in one statement, one after the other, each by itself: one that is refused is undone alone and told with its reason. What is wrong with
-- the statement as a whole (a deadlock, a lock that did not come) undoes all of it. p: [{operation, input, actor, scope, key, hash (hex)}]
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
