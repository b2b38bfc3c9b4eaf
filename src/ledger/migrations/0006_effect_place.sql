-- The object that a write adds to: its key may name another one by the time that the write is looked for.
alter table effect add column place json;

drop function note_effects(
  text[], text[], text[], bigint[], text[], text[], bigint[], text[], text[], text[], double precision[]
);

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
