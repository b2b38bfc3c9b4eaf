-- Contacts: how they look to the outside, and the writes to one.

create function contact_json(c contact) returns text language plpgsql stable as $$
begin
  return json_build_object(
    'id', 'con_' || c.id,
    'name', c.name,
    'email', c.email,
    'phone', c.phone,
    'identities', coalesce((
      select json_agg(
        json_build_object('id', 'idn_' || i.id, 'type', i.kind, 'source', nullif(i.source, ''), 'value', i.value, 'verified', i.verified)
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

-- The identity of a kind that is shown: the preferred one while the contact has it, else the oldest.
create function own_identity(p_contact bigint, p_kind text, p_preferred text) returns text language plpgsql stable as $$
begin
  return (
    select i.value from contact_identity i where i.contact = p_contact and i.kind = p_kind
    order by (i.value = p_preferred) desc nulls last, i.id limit 1
  );
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

-- The contact of an address, locked.
create function lock_contact(p jsonb) returns contact language plpgsql as $$
declare
  locked contact;
begin
  select * into locked from contact where id = (p->>'contact')::bigint for update;
  perform refuse_gone(locked);
  if not coalesce(p->'if_match' @> to_jsonb(locked.version), true) then
    raise exception using errcode = 'DK412', message = 'the contact changed since it was read';
  end if;
  return locked;
end
$$;

create function create_contact(p jsonb, p_actor text) returns answer language plpgsql as $$
declare
  created bigint := nextval('contact_id_seq');
begin
  perform lock_identities(p->'identities');
  if add_identities(created, p->'identities') < jsonb_array_length(p->'identities') then
    perform refuse_owned(p->'identities', created);
  end if;
  perform insert_contact(created, p, p_actor);
  return contact_answer(201, 'created', created);
end
$$;

-- Sets what is given, {"name": null} included; what is not given stays. The caller has locked the identities.
create function change_contact(p_contact bigint, p jsonb, p_actor text) returns text language plpgsql as $$
declare
  before contact := lock_contact(p || jsonb_build_object('contact', p_contact));
  added integer;
begin
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
    email = case when p ? 'email' then p->>'email' else coalesce(c.email, own_identity(c.id, 'email', null)) end,
    phone = case when p ? 'phone' then p->>'phone' else coalesce(c.phone, own_identity(c.id, 'phone', null)) end,
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
begin
  perform lock_identities(p->'identities');
  return contact_answer(200, change_contact((p->>'contact')::bigint, p, p_actor), (p->>'contact')::bigint);
end
$$;

-- Finds by the identity of the address, else by the others; makes a contact when nobody has any of them.
create function put_contact(p jsonb, p_actor text) returns answer language plpgsql as $$
declare
  target bigint;
begin
  perform lock_identities(p->'identities');
  loop
    target := find_contact(p->'identities');
    if target is null then
      if p->'if_match' is not null then
        raise exception using errcode = 'DK412', message = 'there is no contact of this ref';
      end if;
      target := nextval('contact_id_seq');
      perform add_identities(target, p->'identities');
      perform insert_contact(target, p, p_actor);
      return contact_answer(201, 'created', target);
    end if;
    perform enter_gates(array[target]);
    -- Merged or erased while we waited: the identity is another's now, or nobody's.
    exit when exists (select from contact where id = target and merged_into is null and erased_at is null);
  end loop;
  return contact_answer(200, change_contact(target, p, p_actor), target);
end
$$;

-- Adds one identity, or says of one that is there whether it is verified.
create function add_identity(p jsonb, p_actor text) returns answer language plpgsql as $$
declare
  wanted jsonb := p->'identity';
  before contact;
  done boolean;
begin
  perform lock_identities(jsonb_build_array(wanted));
  before := lock_contact(p);
  done := add_identities(before.id, jsonb_build_array(wanted)) > 0;
  if not done then
    perform refuse_owned(jsonb_build_array(wanted), before.id);
    update contact_identity i set verified = (wanted->>'verified')::boolean
    where i.value = wanted->>'value' and i.kind = wanted->>'kind' and i.source = wanted->>'source' and i.verified <> (wanted->>'verified')::boolean;
    done := found;
  end if;
  return touch_contact(before, done, p_actor);
end
$$;

create function remove_identity(p jsonb, p_actor text) returns answer language plpgsql as $$
declare
  before contact := lock_contact(p);
begin
  delete from contact_identity where id = (p->>'identity')::bigint and contact = before.id;
  return touch_contact(before, found, p_actor);
end
$$;

-- After something about its identities: what is shown is one that it has.
create function touch_contact(before contact, p_done boolean, p_actor text) returns answer language plpgsql as $$
begin
  if p_done then
    update contact c set
      email = own_identity(c.id, 'email', c.email), phone = own_identity(c.id, 'phone', c.phone),
      updated_at = clock_timestamp(), version = c.version + 1
    where c.id = before.id;
    perform record_change('contact.updated', before.id, null, p_actor);
  end if;
  return contact_answer(200, case when p_done then 'updated' else 'unchanged' end, before.id);
end
$$;
