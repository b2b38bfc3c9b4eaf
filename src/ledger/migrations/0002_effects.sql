-- Writes to targets that take no idempotency keys, and which object there a key of ours names.

-- state: 1 planned (certainly not made), 2 sent (may have been made), 3 done.
create table effect (
  effect_key text not null,
  step text not null,
  connection text not null,
  -- The delivery that sent it last.
  delivery bigint not null,
  -- The object that the write adds to: its key may name another one by the time that the write is looked for.
  place json,
  state smallint not null,
  -- How many times it was sent. What a worker says that was overtaken by a later try is not written down.
  tries integer not null default 1,
  sent_at timestamptz not null,
  -- When the call ended without telling whether it took effect.
  ended_at timestamptz,
  object json,
  link_kind text,
  link_key text,
  -- Known to its target alone: a flow that writes to another desk from now on has done nothing there yet.
  primary key (effect_key, connection, step)
) with (fillfactor = 80);
create index effect_delivery on effect (delivery);

-- Keys are people's at times (an e-mail address, say), and links outlive the events: a digest stands for the key, here and in effect.
-- While an effect holds a link it is making the object; until it is done the link names what it named before, if anything.
create table link (
  connection text not null,
  kind text not null,
  key text not null,
  object json,
  holder_effect text,
  holder_step text,
  held_at timestamptz,
  updated_at timestamptz not null default clock_timestamp(),
  primary key (connection, kind, key)
);

-- Lets go of a link that an effect holds; one that names nothing goes away.
create function free_link(p_connection text, p_kind text, p_key text, p_effect text, p_step text, p_object json) returns void
language plpgsql as $$
begin
  update link l set object = coalesce(p_object, l.object), holder_effect = null, holder_step = null, held_at = null,
    updated_at = clock_timestamp()
  where l.connection = p_connection and l.kind = p_kind and l.key = p_key and l.holder_effect = p_effect and l.holder_step = p_step;
  delete from link l
  where l.connection = p_connection and l.kind = p_kind and l.key = p_key and l.object is null and l.holder_effect is null;
end
$$;

-- Claims the link for an effect, unless it names an object already (other than the one to be replaced) or another effect holds it, and has not
-- held it for p_hold_ms yet. Answers what it found; the row stays locked to the end of the transaction.
create function claim_link(
  p_connection text, p_kind text, p_key text, p_replaces text, p_effect text, p_step text, p_hold_ms double precision,
  out answer text, out object json
)
language plpgsql as $$
declare
  held link;
  is_ours boolean;
begin
  loop
    insert into link (connection, kind, key) values (p_connection, p_kind, p_key) on conflict do nothing;
    select l.* into held from link l where l.connection = p_connection and l.kind = p_kind and l.key = p_key for update;
    -- Let go of and removed by another effect between the two.
    exit when found;
  end loop;
  is_ours := held.holder_effect is not distinct from p_effect and held.holder_step is not distinct from p_step;
  if not is_ours and held.holder_effect is not null and held.held_at > clock_timestamp() - p_hold_ms * interval '1 millisecond' then
    answer := 'busy';
  elsif held.object is not null and held.object->>'id' is distinct from p_replaces then
    answer := 'taken';
    object := held.object;
    if is_ours then perform free_link(p_connection, p_kind, p_key, p_effect, p_step, null); end if;
  else
    answer := 'noted';
    update link l set holder_effect = p_effect, holder_step = p_step, held_at = clock_timestamp(), updated_at = clock_timestamp()
    where l.connection = p_connection and l.kind = p_kind and l.key = p_key;
  end if;
end
$$;

-- Notes that writes are about to be sent, by workers whose lanes are theirs still: their leases stay locked to the end of the transaction, so
-- whoever takes a lane over afterwards sees what was noted. One by one in a fixed order, so that two batches cannot wait for each other. An
-- effect whose key has changed since an earlier try, by an edit or another mapping, lets go of the link that it held.
create function note_effects(
  p_effect text[], p_step text[], p_connection text[], p_delivery bigint[], p_lane text[], p_owner text[], p_fence bigint[],
  p_kind text[], p_key text[], p_replaces text[], p_hold_ms double precision[], p_place json[]
)
returns table (item integer, answer text, object json, tries integer)
language plpgsql as $$
#variable_conflict use_column
declare
  i integer;
  leased integer[];
  earlier effect;
begin
  select coalesce(array_agg(h.i), '{}') into leased from (
    select a.i from unnest(p_connection, p_lane, p_owner, p_fence) with ordinality as a(target, lane, owner, fence, i)
    join lane_lease l on l.target = a.target and l.lane = a.lane and l.owner = a.owner and l.fence = a.fence
    order by a.target, a.lane
    for share of l
  ) h;
  for i in
    select a.i from unnest(p_connection, p_kind, p_key, p_effect, p_step) with ordinality as a(connection, kind, key, effect, step, i)
    order by a.connection, a.kind, a.key, a.effect, a.step
  loop
    item := i;
    answer := 'noted';
    object := null;
    tries := null;
    if i <> all (leased) then
      answer := 'lost';
    elsif p_kind[i] is not null then
      select c.answer, c.object into answer, object
      from claim_link(p_connection[i], p_kind[i], p_key[i], p_replaces[i], p_effect[i], p_step[i], p_hold_ms[i]) c;
    end if;
    if answer = 'noted' then
      select e.* into earlier from effect e where e.effect_key = p_effect[i] and e.connection = p_connection[i] and e.step = p_step[i];
      if earlier.link_key is not null and (earlier.link_kind, earlier.link_key) is distinct from (p_kind[i], p_key[i]) then
        perform free_link(earlier.connection, earlier.link_kind, earlier.link_key, earlier.effect_key, earlier.step, null);
      end if;
      insert into effect (effect_key, step, connection, delivery, state, sent_at, link_kind, link_key, place)
      values (p_effect[i], p_step[i], p_connection[i], p_delivery[i], 2, clock_timestamp(), p_kind[i], p_key[i], p_place[i])
      on conflict (effect_key, connection, step) do update
        set state = 2, sent_at = excluded.sent_at, ended_at = null, delivery = excluded.delivery, tries = effect.tries + 1,
          link_kind = excluded.link_kind, link_key = excluded.link_key, place = excluded.place
      returning effect.tries into tries;
    end if;
    return next;
  end loop;
end
$$;

-- A write has been made, or has certainly not been: its link names the new object, or is free again.
create function finish_effect(
  p_connection text, p_effect text, p_step text, p_tries integer, p_state smallint, p_object json
) returns void
language plpgsql as $$
declare
  finished effect;
begin
  update effect e set state = p_state, object = coalesce(p_object, e.object)
  where e.effect_key = p_effect and e.connection = p_connection and e.step = p_step and e.tries = p_tries
  returning * into finished;
  if finished.link_kind is null then return; end if;
  perform free_link(p_connection, finished.link_kind, finished.link_key, p_effect, p_step, p_object);
end
$$;
