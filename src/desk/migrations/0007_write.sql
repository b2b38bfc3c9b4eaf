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
  done := case p_operation
    when 'create_contact' then create_contact(p, p_actor)
    when 'patch_contact' then patch_contact(p, p_actor)
    when 'put_contact' then put_contact(p, p_actor)
    when 'put_order' then put_order(p, p_actor)
    when 'create_ticket' then create_ticket(p, p_actor)
    when 'put_ticket' then put_ticket(p, p_actor)
    when 'patch_ticket' then patch_ticket(p, p_actor)
    when 'add_message' then add_message(p, p_actor)
    when 'link_order' then link_order(p, p_actor)
    when 'unlink_order' then unlink_order(p, p_actor)
  end;
  if p_key is not null then
    insert into idempotency (key, scope, hash, status, result, message, version, body)
    values (p_key, p_scope, p_hash, done.status, done.result, done.message, done.version, done.body);
  end if;
  return done;
end
$$;
