-- Contacts: finding, claiming and writing them, and how they look to the outside.
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

create function contact_json(c contact) returns text language plpgsql stable as $$
begin
  return json_build_object(
    'id', 'con_' || c.id,
    'name', c.name,
    'email', c.email,
    'phone', c.phone,
    'identities', coalesce((
      select json_agg(
        json_build_object('type', i.kind, 'source', nullif(i.source, ''), 'value', i.value, 'verified', i.verified)
        order by i.kind, i.source, i.value
      ) from contact_identity i where i.contact = c.id
    ), '[]'),
    'refs', coalesce((
      select json_agg(json_build_object('source', i.source, 'external_id', i.value) order by i.source, i.value)
      from contact_identity i where i.contact = c.id and i.kind = 'external'
    ), '[]'),
    'custom_fields', c.custom_fields,
    'created_at', stamp(c.created_at),
    'updated_at', stamp(c.updated_at),
    'version', c.version
  )::text;
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
  insert into contact_identity (value, kind, source, contact)
  select i->>'value', i->>'kind', i->>'source', p_contact from jsonb_array_elements(p_identities) as i
  order by 1, 2, 3
  on conflict do nothing;
  get diagnostics added = row_count;
  return added;
end
$$;

create function insert_contact(p_contact bigint, p jsonb, p_actor text) returns void language plpgsql as $$
begin
  insert into contact (id, name, email, phone, custom_fields)
  values (p_contact, p->>'name', p->>'email', p->>'phone', merge_fields('{}', p->'custom_fields'));
  perform record_change('contact.created', p_contact, null, p_actor);
end
$$;

-- Whose identities these are. When they are nobody's: a new id that has them now, whose contact the caller is to insert (fresh). Concurrent
-- callers with the same identities end up with the same contact.
create function reserve_contact(p_identities jsonb, out contact bigint, out fresh boolean) language plpgsql as $$
#variable_conflict use_column
declare
  other bigint;
begin
  fresh := false;
  contact := find_contact(p_identities);
  if contact is not null then return; end if;
  contact := nextval('contact_id_seq');
  fresh := add_identities(contact, p_identities) = jsonb_array_length(p_identities);
  if fresh then return; end if;
  -- Somebody was quicker with one of them: that contact it is, with those that we have just taken.
  select i.contact into other
  from jsonb_array_elements(p_identities) with ordinality as a(identity, place)
  join contact_identity i on i.value = a.identity->>'value' and i.kind = a.identity->>'kind' and i.source = a.identity->>'source'
  where i.contact <> reserve_contact.contact
  order by a.place limit 1;
  update contact_identity i set contact = other where i.contact = reserve_contact.contact;
  contact := other;
end
$$;

-- The contact with one of these identities, made when there is none. Fills in what it lacks and overwrites nothing; an identity that
-- belongs to somebody else stays theirs.
create function claim_contact(p jsonb, p_actor text) returns bigint language plpgsql as $$
declare
  reserved record;
begin
  reserved := reserve_contact(p->'identities');
  if reserved.fresh then
    perform insert_contact(reserved.contact, p, p_actor);
  else
    perform complete_contact(reserved.contact, p, p_actor);
  end if;
  return reserved.contact;
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

create function contact_answer(p_status integer, p_result text, p_contact bigint) returns answer language plpgsql as $$
begin
  return (
    select (p_status::smallint, p_result, null::bigint, c.version, contact_json(c), false)::answer from contact c where c.id = p_contact
  );
end
$$;

-- Those who have one of these identities, but for one.
create function identity_owners(p_identities jsonb, p_but bigint) returns jsonb language plpgsql as $$
begin
  return (
    select jsonb_agg(distinct 'con_' || i.contact)
    from jsonb_array_elements(p_identities) as a(identity)
    join contact_identity i on i.value = a.identity->>'value' and i.kind = a.identity->>'kind' and i.source = a.identity->>'source'
    where i.contact is distinct from p_but
  );
end
$$;

create function refuse_owned(p_identities jsonb, p_but bigint) returns void language plpgsql as $$
declare
  owners jsonb := identity_owners(p_identities, p_but);
begin
  if owners is not null then
    raise exception using errcode = 'DK409', detail = owners::text,
      message = 'an identity of this contact belongs to another contact';
  end if;
end
$$;

create function create_contact(p jsonb, p_actor text) returns answer language plpgsql as $$
declare
  created bigint := nextval('contact_id_seq');
begin
  if add_identities(created, p->'identities') < jsonb_array_length(p->'identities') then
    perform refuse_owned(p->'identities', created);
  end if;
  perform insert_contact(created, p, p_actor);
  return contact_answer(201, 'created', created);
end
$$;

-- Sets what is given, {"name": null} included; what is not given stays.
create function change_contact(p_contact bigint, p jsonb, p_actor text) returns text language plpgsql as $$
declare
  before contact;
  added integer;
begin
  select * into before from contact where id = p_contact for update;
  if not found then raise exception using errcode = 'DK404', message = 'there is no contact of this id'; end if;
  if not coalesce(p->'if_match' @> to_jsonb(before.version), true) then
    raise exception using errcode = 'DK412', message = 'the contact changed since it was read';
  end if;
  added := add_identities(p_contact, p->'identities');
  if added < jsonb_array_length(p->'identities') then
    perform refuse_owned(p->'identities', p_contact);
  end if;
  delete from contact_identity i where i.contact = p_contact and (
    (i.kind = 'email' and i.value = before.email and p->'email' = 'null')
    or (i.kind = 'phone' and i.value = before.phone and p->'phone' = 'null')
  );
  update contact c set
    name = case when p ? 'name' then p->>'name' else c.name end,
    email = case when p ? 'email' then p->>'email' else c.email end,
    phone = case when p ? 'phone' then p->>'phone' else c.phone end,
    custom_fields = merge_fields(c.custom_fields, p->'custom_fields'),
    updated_at = clock_timestamp(),
    version = c.version + 1
  where c.id = p_contact and (
    added > 0
    or (p ? 'name' and c.name is distinct from p->>'name')
    or (p ? 'email' and c.email is distinct from p->>'email')
    or (p ? 'phone' and c.phone is distinct from p->>'phone')
    or c.custom_fields <> merge_fields(c.custom_fields, p->'custom_fields')
  );
  if not found then return 'unchanged'; end if;
  perform record_change('contact.updated', p_contact, null, p_actor);
  return 'updated';
end
$$;

create function patch_contact(p jsonb, p_actor text) returns answer language plpgsql as $$
declare
  patched bigint := (p->>'contact')::bigint;
  result text := change_contact(patched, p, p_actor);
begin
  return contact_answer(200, result, patched);
end
$$;

-- Finds by the identity of the address, else by the others; makes a contact when nobody has any of them.
create function put_contact(p jsonb, p_actor text) returns answer language plpgsql as $$
declare
  reserved record;
  result text;
begin
  reserved := reserve_contact(p->'identities');
  if reserved.fresh then
    perform insert_contact(reserved.contact, p, p_actor);
    return contact_answer(201, 'created', reserved.contact);
  end if;
  result := change_contact(reserved.contact, p, p_actor);
  return contact_answer(200, result, reserved.contact);
end
$$;
