-- Contacts that are merged, and given back.

-- filled: what the survivor took over because it had none of its own.
create table contact_merge (
  id bigint generated always as identity primary key,
  contact bigint not null,
  survivor bigint not null,
  filled jsonb not null default '{}',
  merged_at timestamptz not null default clock_timestamp(),
  undone_at timestamptz
);
create index contact_merge_contact on contact_merge (contact, id);

-- What went over in a merge: kind is identity, order or ticket. Gone when the merge is undone.
create table contact_moved (
  merge bigint not null,
  kind text not null,
  object bigint not null,
  primary key (merge, kind, object)
);

-- Takes what a merge of these two needs, in the order of all writers: tickets first. Orders come last.
create function lock_for_merge(p_contact bigint, p_survivor bigint) returns void language plpgsql as $$
begin
  perform from ticket where requester in (p_contact, p_survivor) order by id for update;
  perform close_gates(array[p_contact, p_survivor]);
  perform from contact where id in (p_contact, p_survivor) order by id for update;
  perform from sales_order where contact in (p_contact, p_survivor) order by external_id, source for update;
end
$$;

-- Everything of one contact goes over to another, which also takes what it has none of itself. What they wrote stays under their own id and is shown as the survivor's.
create function merge_contacts(p jsonb, p_actor text) returns answer language plpgsql as $$
declare
  gone bigint := (p->>'contact')::bigint;
  survivor bigint := survivor_of((p->>'into')::bigint);
  before contact;
  target contact;
  merge bigint;
begin
  if p->>'into' = p->>'contact' then
    raise exception using errcode = 'DK400', message = 'a contact cannot be merged into itself';
  end if;
  if not exists (select from contact where id = gone and erased_at is null) then perform lock_contact(p); end if;
  perform lock_for_merge(gone, survivor);
  select * into before from contact where id = gone;
  select * into target from contact where id = survivor;
  if target.id is null or target.erased_at is not null then
    raise exception using errcode = 'DK400', message = 'into names no contact';
  end if;
  -- Somebody merged the survivor in the meantime: from the beginning.
  if target.merged_into is not null then raise exception using errcode = '40001', message = 'the survivor was merged'; end if;
  if survivor = gone then
    raise exception using errcode = 'DK409', message = 'into was merged into this contact; unmerge it first', detail = json_build_array('con_' || (p->>'into'))::text;
  end if;
  if before.erased_at is null and survivor_of(gone) = survivor then return contact_answer(200, 'unchanged', survivor); end if;
  before := lock_contact(p);
  insert into contact_merge (contact, survivor, filled) values (gone, survivor, merge_gift(before, target)) returning id into merge;
  perform hand_over(merge, gone, survivor, null, p_actor);
  update contact c set
    name = coalesce(c.name, before.name), email = coalesce(c.email, before.email), phone = coalesce(c.phone, before.phone),
    custom_fields = before.custom_fields || c.custom_fields, updated_at = clock_timestamp(), version = c.version + 1
  where c.id = survivor;
  update contact c set merged_into = survivor, updated_at = clock_timestamp(), version = c.version + 1 where c.id = gone;
  perform record_change('contact.merged', gone, null, p_actor, jsonb_build_object('into', 'con_' || survivor));
  perform record_change('contact.updated', survivor, null, p_actor, jsonb_build_object('merged', jsonb_build_array(null, 'con_' || gone)));
  return contact_answer(200, 'merged', survivor);
end
$$;

-- What the second takes over from the first.
create function merge_gift(p_from contact, p_to contact) returns jsonb language plpgsql immutable as $$
begin
  return jsonb_strip_nulls(jsonb_build_object(
    'name', case when p_to.name is null then p_from.name end,
    'email', case when p_to.email is null then p_from.email end,
    'phone', case when p_to.phone is null then p_from.phone end
  )) || jsonb_build_object('custom_fields', (
    select coalesce(jsonb_object_agg(f.key, f.value), '{}') from jsonb_each(p_from.custom_fields) as f where not p_to.custom_fields ? f.key
  ));
end
$$;

-- Hands identities, orders and tickets of one contact over to another: all there are, on record under p_record; or those on record under p_back, which are still
-- there.
create function hand_over(p_record bigint, p_from bigint, p_to bigint, p_back bigint, p_actor text) returns void language plpgsql as $$
declare
  moved bigint[];
begin
  with gone as (
    update contact_identity i set contact = p_to
    where i.contact = p_from and (p_back is null or i.id in (select m.object from contact_moved m where m.merge = p_back and m.kind = 'identity'))
    returning i.id
  ) select array_agg(id) into moved from gone;
  perform note_moved(p_record, 'identity', moved);

  with gone as (
    update sales_order o set contact = p_to, updated_at = clock_timestamp(), version = o.version + 1
    where o.contact = p_from and (p_back is null or o.id in (select m.object from contact_moved m where m.merge = p_back and m.kind = 'order'))
    returning o.id
  ) select array_agg(id order by id) into moved from gone;
  perform note_moved(p_record, 'order', moved);
  perform record_change('order.updated', o, null, p_actor, jsonb_build_object('contact', jsonb_build_array('con_' || p_from, 'con_' || p_to)))
  from unnest(moved) as o;

  with gone as (
    update ticket t set requester = p_to, updated_at = clock_timestamp(), version = t.version + 1
    where t.requester = p_from and (p_back is null or t.id in (select m.object from contact_moved m where m.merge = p_back and m.kind = 'ticket'))
    returning t.id
  ) select array_agg(id order by id) into moved from gone;
  perform note_moved(p_record, 'ticket', moved);
  perform record_change('ticket.updated', t, t, p_actor, jsonb_build_object('requester', jsonb_build_array('con_' || p_from, 'con_' || p_to)))
  from unnest(moved) as t;
end
$$;

create function note_moved(p_merge bigint, p_kind text, p_objects bigint[]) returns void language plpgsql as $$
begin
  if p_merge is not null then
    insert into contact_moved (merge, kind, object) select p_merge, p_kind, o from unnest(p_objects) as o;
  end if;
end
$$;

-- Undoes the merge of a contact: what came over with it and is still there goes back, and what the survivor took over and still has, it gives up.
create function unmerge_contact(p jsonb, p_actor text) returns answer language plpgsql as $$
declare
  back bigint := (p->>'contact')::bigint;
  before contact;
  made contact_merge;
  keeper contact;
begin
  select * into before from contact where id = back;
  if before.id is null or before.erased_at is not null then perform refuse_gone(before); end if;
  select * into made from contact_merge m where m.contact = back order by m.id desc limit 1;
  if not found then
    raise exception using errcode = 'DK409', message = 'this contact was not merged', detail = '[]';
  end if;
  perform lock_for_merge(back, made.survivor);
  select * into before from contact where id = back;
  select * into keeper from contact where id = made.survivor;
  if before.erased_at is not null then perform refuse_gone(before); end if;
  if before.merged_into is null then return contact_answer(200, 'unchanged', back); end if;
  -- Undone and merged into another in the meantime: from the beginning.
  if before.merged_into <> keeper.id then raise exception using errcode = '40001', message = 'the contact was merged again'; end if;
  if keeper.merged_into is not null then
    raise exception using errcode = 'DK409', message = 'the contact that it was merged into was merged itself; unmerge that one first',
      detail = json_build_array('con_' || keeper.id)::text;
  end if;
  perform hand_over(null, keeper.id, back, made.id, p_actor);
  perform take_back(keeper, made.filled);
  update contact c set
    merged_into = null, email = own_identity(c.id, 'email', c.email), phone = own_identity(c.id, 'phone', c.phone),
    updated_at = clock_timestamp(), version = c.version + 1
  where c.id = back;
  update contact_merge m set undone_at = clock_timestamp(), filled = '{}' where m.id = made.id;
  delete from contact_moved m where m.merge = made.id;
  perform record_change('contact.unmerged', back, null, p_actor, jsonb_build_object('from', 'con_' || keeper.id));
  perform record_change('contact.updated', keeper.id, null, p_actor, jsonb_build_object('merged', jsonb_build_array('con_' || back, null)));
  return contact_answer(200, 'unmerged', back);
end
$$;

-- The survivor gives up what it was given, where it was not changed since.
create function take_back(keeper contact, p_filled jsonb) returns void language plpgsql as $$
begin
  update contact c set
    name = case when c.name = p_filled->>'name' then null else c.name end,
    email = own_identity(c.id, 'email', c.email),
    phone = own_identity(c.id, 'phone', c.phone),
    custom_fields = (
      select coalesce(jsonb_object_agg(f.key, f.value), '{}') from jsonb_each(c.custom_fields) as f
      where p_filled->'custom_fields'->f.key is distinct from f.value
    ),
    updated_at = clock_timestamp(), version = c.version + 1
  where c.id = keeper.id;
end
$$;
