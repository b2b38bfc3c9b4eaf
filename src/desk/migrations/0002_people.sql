-- People: who the requesters, customers and authors of a request are. A write takes, in this order and each kind sorted, what it needs of: its idempotency
-- key, the ref, the ticket, the identities that it may add, the gates of the contacts that it names, contacts, orders. So no two wait for each other. A merge
-- and an erasure close the gates.
-- Language sql only where PostgreSQL inlines the function: any other is planned anew at each call, where plpgsql keeps its plans.

create function stamp(p timestamptz) returns text language sql stable as $$
  select to_char(p at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
$$;

create function record_change(p_type text, p_object bigint, p_ticket bigint, p_actor text, p_data jsonb default '{}')
returns void language plpgsql as $$
begin
  insert into change (type, object, ticket, actor, data) values (p_type, p_object, p_ticket, p_actor, p_data);
end
$$;

-- Custom fields with others set on top; null takes one away.
create function merge_fields(p_old jsonb, p_new jsonb) returns jsonb language sql immutable as $$
  select case when p_new is null then p_old else jsonb_strip_nulls(p_old || p_new) end
$$;

create function lock_identities(p_identities jsonb) returns void language plpgsql as $$
begin
  perform pg_advisory_xact_lock(number) from (
    select distinct hashtextextended(i->>'value', hashtext(concat_ws(':', i->>'kind', i->>'source'))) as number
    from jsonb_array_elements(p_identities) as i order by 1
  ) as sorted;
end
$$;

-- Keeps contacts from being merged or erased until the end of the transaction, or waits for the end of who does so.
create function enter_gates(p_contacts bigint[]) returns void language plpgsql as $$
begin
  perform pg_advisory_xact_lock_shared(1, (contact % 2147483647)::integer) from (
    select distinct contact from unnest(p_contacts) as contact where contact is not null order by contact
  ) as sorted;
end
$$;

create function close_gates(p_contacts bigint[]) returns void language plpgsql as $$
begin
  perform pg_advisory_xact_lock(1, gate) from (
    select distinct (contact % 2147483647)::integer as gate from unnest(p_contacts) as contact order by 1
  ) as sorted;
end
$$;

-- The contact that this one was merged into in the end, itself when it was not.
create function survivor_of(p_contact bigint) returns bigint language plpgsql stable as $$
declare
  survivor bigint := p_contact;
  next bigint;
begin
  loop
    select merged_into into next from contact where id = survivor;
    if next is null then return survivor; end if;
    survivor := next;
  end loop;
end
$$;

-- The contact of an id in a body.
create function living_contact(p_contact bigint) returns bigint language plpgsql stable as $$
declare
  survivor bigint := survivor_of(p_contact);
begin
  if not exists (select from contact where id = survivor and erased_at is null) then
    raise exception using errcode = 'DK400', message = 'the id of the requester, customer or author names no contact';
  end if;
  return survivor;
end
$$;

-- Refuses what is addressed to a contact that was merged or erased; the row is locked by the caller.
create function refuse_gone(p_contact contact) returns void language plpgsql as $$
begin
  if p_contact.id is null then raise exception using errcode = 'DK404', message = 'there is no contact of this id'; end if;
  if p_contact.erased_at is not null then raise exception using errcode = 'DK410', message = 'this contact was erased'; end if;
  if p_contact.merged_into is not null then
    raise exception using errcode = 'DK308', message = 'this contact was merged into another', detail = 'con_' || survivor_of(p_contact.id);
  end if;
end
$$;

-- The first of the identities that somebody has. p_identities: [{kind, source, value}], most telling first.
create function find_contact(p_identities jsonb) returns bigint language plpgsql stable as $$
declare
  identity jsonb;
  found_contact bigint;
begin
  for identity in select * from jsonb_array_elements(p_identities) loop
    select contact into found_contact from contact_identity
    where value = identity->>'value' and kind = identity->>'kind' and source = identity->>'source';
    if found then return found_contact; end if;
  end loop;
  return null;
end
$$;

-- Gives a contact those of the identities that nobody has; returns how many that were. Sorted, so that two writers never wait for each other.
create function add_identities(p_contact bigint, p_identities jsonb) returns integer language plpgsql as $$
declare
  added integer;
begin
  insert into contact_identity (value, kind, source, contact, verified)
  select i->>'value', i->>'kind', i->>'source', p_contact, coalesce((i->>'verified')::boolean, false) from jsonb_array_elements(p_identities) as i
  order by 1, 2, 3
  on conflict do nothing;
  get diagnostics added = row_count;
  return added;
end
$$;

-- Who has the first of the identities that somebody has, and whether there is one that nobody has.
create function look_up(p_identities jsonb, out owner bigint, out lacking boolean) language plpgsql stable as $$
declare
  identity jsonb;
  holder bigint;
begin
  lacking := false;
  for identity in select * from jsonb_array_elements(p_identities) loop
    select i.contact into holder from contact_identity i
    where i.value = identity->>'value' and i.kind = identity->>'kind' and i.source = identity->>'source';
    if not found then
      lacking := true;
    elsif owner is null then
      owner := holder;
    end if;
  end loop;
end
$$;

create function insert_contact(p_contact bigint, p jsonb, p_actor text) returns void language plpgsql as $$
begin
  insert into contact (id, name, email, phone, custom_fields)
  values (
    p_contact, p->>'name',
    coalesce(p->>'email', (select i->>'value' from jsonb_array_elements(p->'identities') as i where i->>'kind' = 'email' limit 1)),
    coalesce(p->>'phone', (select i->>'value' from jsonb_array_elements(p->'identities') as i where i->>'kind' = 'phone' limit 1)),
    merge_fields('{}', p->'custom_fields')
  );
  perform record_change('contact.created', p_contact, null, p_actor);
end
$$;

create function complete_contact(p_contact bigint, p jsonb, p_actor text) returns void language plpgsql as $$
declare
  added integer := 0;
begin
  -- The everyday case is a contact that we know all of: one look, no lock.
  if exists (
    select from jsonb_array_elements(p->'identities') as a(identity)
    where not exists (
      select from contact_identity i
      where i.value = a.identity->>'value' and i.kind = a.identity->>'kind' and i.source = a.identity->>'source'
    )
  ) then
    added := add_identities(p_contact, p->'identities');
  end if;
  update contact c set
    name = coalesce(c.name, p->>'name'),
    email = coalesce(c.email, (select value from contact_identity where contact = c.id and kind = 'email' order by created_at limit 1)),
    phone = coalesce(c.phone, (select value from contact_identity where contact = c.id and kind = 'phone' order by created_at limit 1)),
    updated_at = clock_timestamp(),
    version = c.version + 1
  where c.id = p_contact and (added > 0 or (c.name is null and p->>'name' is not null));
  if found then perform record_change('contact.updated', p_contact, null, p_actor); end if;
end
$$;

-- The contacts of people, in their order, each [{contact}] or [{identities, name, …}]. Who is not known is made; what a contact lacks is filled in and nothing
-- overwritten; an identity of somebody else stays theirs. Callers with the same identities at the same time end up with the same contact. Known people take
-- no lock but their gate.
create function claim_contacts(p_people jsonb, p_actor text) returns bigint[] language plpgsql as $$
declare
  contacts bigint[];
  lacking boolean[];
  nameless bigint[];
  locked boolean := false;
  gone boolean;
  look record;
begin
  loop
    contacts := '{}';
    lacking := '{}';
    for place in 0 .. jsonb_array_length(p_people) - 1 loop
      if p_people->place ? 'contact' then
        contacts := contacts || living_contact((p_people->place->>'contact')::bigint);
        lacking := lacking || false;
      else
        look := look_up(p_people->place->'identities');
        contacts := contacts || look.owner;
        lacking := lacking || look.lacking;
      end if;
    end loop;
    if not locked and true = any (lacking) then
      perform lock_identities(jsonb_path_query_array(p_people, '$[*].identities[*]'));
      locked := true;
      continue;
    end if;
    perform enter_gates(contacts);
    select bool_or(merged_into is not null or erased_at is not null), array_agg(id) filter (where name is null) into gone, nameless
    from contact where id = any (contacts);
    exit when gone is not true;
  end loop;
  if true = any (lacking) or nameless is not null then
    contacts := complete_contacts(p_people, contacts, lacking, p_actor);
  end if;
  return contacts;
end
$$;

create function complete_contacts(p_people jsonb, p_contacts bigint[], p_lacking boolean[], p_actor text) returns bigint[] language plpgsql as $$
declare
  place integer;
  person jsonb;
begin
  for place in select g from generate_series(1, cardinality(p_contacts)) as g order by p_contacts[g] nulls last, g loop
    person := p_people->(place - 1);
    continue when not person ? 'identities';
    -- One before may have been given what this one was looked up by.
    if p_contacts[place] is null then p_contacts[place] := find_contact(person->'identities'); end if;
    if p_contacts[place] is null then
      p_contacts[place] := nextval('contact_id_seq');
      perform add_identities(p_contacts[place], person->'identities');
      perform insert_contact(p_contacts[place], person, p_actor);
    elsif p_lacking[place] or person->>'name' is not null then
      perform complete_contact(p_contacts[place], person, p_actor);
    end if;
  end loop;
  return p_contacts;
end
$$;

-- Everyday work is with one person of whom nothing is known yet, or nothing new: done here with few looks, else as claim_contacts does.
create function claim_contact(p jsonb, p_actor text) returns bigint language plpgsql as $$
declare
  found_owner bigint;
  is_lacking boolean;
begin
  if p ? 'identities' then
    select owner, lacking into found_owner, is_lacking from look_up(p->'identities');
    if found_owner is null then
      perform lock_identities(p->'identities');
      if find_contact(p->'identities') is null then
        found_owner := nextval('contact_id_seq');
        perform add_identities(found_owner, p->'identities');
        perform insert_contact(found_owner, p, p_actor);
        return found_owner;
      end if;
    elsif not is_lacking then
      perform pg_advisory_xact_lock_shared(1, (found_owner % 2147483647)::integer);
      if exists (
        select from contact where id = found_owner and merged_into is null and erased_at is null and (name is not null or p->>'name' is null)
      ) then
        return found_owner;
      end if;
    end if;
  end if;
  return (claim_contacts(jsonb_build_array(p), p_actor))[1];
end
$$;

-- The contact that a request names, by {contact} or by identities.
create function requester_of(p jsonb, p_actor text) returns bigint language plpgsql as $$
begin
  return claim_contact(p, p_actor);
end
$$;
