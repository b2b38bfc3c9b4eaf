import type { Pool } from "pg";
import { guarded } from "./fault.ts";
import type { ListQuery, Page } from "./list.ts";
import { listPage } from "./list.ts";

/** Powers of two of how many tickets a range has: the index knows these. */
const rangeBits = [8, 12, 16, 20] as const;

interface TicketRange {
  readonly bits: number;
  readonly number: number;
  readonly low: number;
  readonly high: number;
}

/**
 * The tickets of texts of a range with all of the words; both conditions are answered by one look into the index. As an array, so that the tickets
 * are fetched one by one: the planner thinks of ever more hits than there are, and would rather walk over all tickets.
 */
const matching = `t.id = any (array(
  select m.ticket from message m
  where to_tsvector('simple'::regconfig, m.text) || ticket_ranges(m.ticket) @@ (websearch_to_tsquery('simple', ?) && ?::tsquery)
  union select s.ticket from ticket_subject s where s.words @@ (websearch_to_tsquery('simple', ?) && ?::tsquery)
))`;

/**
 * The tickets of a list by creation whose subject or one of whose messages has the words, read range by range: first few tickets, then ever more,
 * until the page is full. A page may be followed by an empty one.
 */
export async function searchTickets(pool: Pool, list: ListQuery, words: string): Promise<Page> {
  const newest = await newestTicket(pool, words);
  const { descending, limit, after } = list;
  const bodies: string[] = [];
  let from = descending ? Math.min(newest, (after?.id ?? Infinity) - 1) : (after?.id ?? 0) + 1;
  for (let step = 0; from >= 1 && from <= newest; step += 1) {
    const range = rangeAt(from, rangeBits[Math.min(step, rangeBits.length - 1)] ?? 20, descending);
    const page = await listPage(pool, inRange(list, words, range, limit - bodies.length));
    bodies.push(...page.bodies);
    if (page.next !== undefined) return { bodies, next: page.next };
    from = descending ? range.low - 1 : range.high + 1;
    if (bodies.length < limit) continue;
    const last = descending ? range.low : range.high;
    return { bodies, next: last > 1 && last < newest ? { at: undefined, id: last } : undefined };
  }
  return { bodies, next: undefined };
}

/** The highest number of a ticket; 0 when there is nothing to look for in the words. */
async function newestTicket(pool: Pool, words: string): Promise<number> {
  const text = `select id from ticket where numnode(websearch_to_tsquery('simple', $1)) > 0 order by id desc limit 1`;
  const { rows } = await guarded(() =>
    pool.query<{ id: number }>({ name: "desk-newest", text, values: [words] }),
  );
  return rows[0]?.id ?? 0;
}

/** The part of a range that begins at a ticket and goes on in the order of the list. */
function rangeAt(from: number, bits: number, descending: boolean): TicketRange {
  const size = 2 ** bits;
  const number = Math.floor(from / size);
  const [first, last] = [number * size, (number + 1) * size - 1];
  return descending ? { bits, number, low: first, high: from } : { bits, number, low: from, high: last };
}

function inRange(list: ListQuery, words: string, range: TicketRange, limit: number): ListQuery {
  const label = `'#${range.bits}:${range.number}'`;
  const conditions: ListQuery["conditions"] = [
    ...list.conditions,
    ["t.id between ?::bigint and ?::bigint", range.low, range.high],
    [matching, words, label, words, label],
  ];
  return { ...list, conditions, after: undefined, limit };
}
