-- Search. Words as they are written, in lower case, of any language. Beside its words each text is indexed under the ranges of ticket numbers that its ticket
-- is in, of 256, 4,096, 65,536 and 1,048,576 tickets: a search goes from the newest range to ever larger older ones until it has enough, so that a common
-- word costs as little as a rare one.

create function ticket_ranges(p_ticket bigint) returns tsvector language sql immutable as $$
  select array_to_tsvector(array[
    '#8:'::text || (p_ticket >> 8)::text, '#12:'::text || (p_ticket >> 12)::text, '#16:'::text || (p_ticket >> 16)::text,
    '#20:'::text || (p_ticket >> 20)::text
  ])
$$;

create index message_search on message using gin ((to_tsvector('simple'::regconfig, text) || ticket_ranges(ticket)))
  with (gin_pending_list_limit = 512);

-- The subjects' words, apart from the tickets: those change with every message.
create table ticket_subject (
  ticket bigint primary key,
  words tsvector not null
);
create index ticket_subject_search on ticket_subject using gin (words) with (gin_pending_list_limit = 512);

create function note_subject() returns trigger language plpgsql as $$
begin
  insert into ticket_subject (ticket, words) values (new.id, to_tsvector('simple', new.subject) || ticket_ranges(new.id))
  on conflict (ticket) do update set words = excluded.words;
  return null;
end
$$;
create trigger ticket_subject_new after insert on ticket for each row execute function note_subject();
create trigger ticket_subject_changed after update of subject on ticket for each row
when (old.subject <> new.subject) execute function note_subject();
