import type { FeedPosition } from "./change.ts";
import { formatSequence, isBehind } from "./change.ts";
import type { Feed, FeedBatch, FollowRequest } from "./feed.ts";
import type { Change } from "./store/changes.ts";
import type { EndUserStore } from "./store/end-users.ts";

/** The change feed as end users may see it. */
export interface OwnEvents {
  /**
   * The feed of one contact's tickets: public messages, and what became of the tickets. What was missed is read through the contact's own tickets, so
   * going back far costs no more than their own history is long. Ends when the contact is merged or erased.
   */
  readonly of: (contact: number) => Pick<Feed, "follow">;
}

interface Told {
  readonly contact: number;
  readonly body: string;
}

/** Whom a change is for, and how it is told; undefined for nobody. */
type Tell = (changes: readonly Change[]) => Promise<readonly (Told | undefined)[]>;

const own = new Set([
  "message.created",
  "ticket.created",
  "ticket.updated",
  "ticket.closed",
  "ticket.reopened",
]);
const ends = new Set(["contact.merged", "contact.deleted"]);
const types = [...own, ...ends];
const pageSize = 500;

export function createOwnEvents(feed: Feed, store: EndUserStore): OwnEvents {
  const tell = createTell(store);
  return {
    of: (contact) => ({ follow: (request) => followOwn(contact, request, { feed, store, tell }) }),
  };
}

interface Parts {
  readonly feed: Feed;
  readonly store: EndUserStore;
  readonly tell: Tell;
}

async function* followOwn(
  contact: number,
  request: FollowRequest,
  { feed, store, tell }: Parts,
): AsyncGenerator<FeedBatch, void> {
  const end = await feed.end();
  let after = request.after ?? end;
  // Anything else than what is yet to come is in the tables.
  while (isBehind(after, end) && !request.signal.aborted) {
    const rows = await store.ownRange({ contact, after, end, limit: pageSize });
    const last = rows.length < pageSize ? undefined : rows.at(-1);
    after = last === undefined ? end : { tx: last.tx, id: last.id };
    const changes = rows.flatMap(({ tx, id, body }) => (body === null ? [] : [ownChange({ tx, id }, body)]));
    yield { changes, end: after };
  }
  const gone = new AbortController();
  const signal = AbortSignal.any([request.signal, gone.signal]);
  const filter = async (changes: readonly Change[]): Promise<readonly Change[]> => {
    if (changes.some(({ type, object }) => ends.has(type) && object === contact)) gone.abort();
    const told = await tell(changes);
    return changes.flatMap((change, index) => {
      const event = told[index];
      return event?.contact === contact ? [ownChange(change, event.body)] : [];
    });
  };
  yield* feed.follow({ ...request, after, types, filter, signal });
}

function ownChange({ tx, id }: FeedPosition, body: string): Change {
  return { tx, id, type: "", object: 0, ticket: null, body };
}

/** Followers who are up to date are handed the same changes: each is looked up once for all of them. */
function createTell(store: EndUserStore): Tell {
  const known = new WeakMap<Change, Promise<Told | undefined>>();
  return async (changes) => {
    const fresh = changes.filter((change) => own.has(change.type) && !known.has(change));
    if (fresh.length > 0) {
      const looking = lookUp(store, fresh);
      for (const change of fresh) {
        const told = looking.then((found) => found.get(formatSequence(change)));
        known.set(change, told);
        // A look that failed is not remembered; whoever waits for it hears of it.
        told.catch(() => known.delete(change));
      }
    }
    return Promise.all(changes.map(async (change) => known.get(change)));
  };
}

async function lookUp(store: EndUserStore, changes: readonly Change[]): Promise<ReadonlyMap<string, Told>> {
  const rows = await store.ownChanges(changes);
  return new Map(rows.map(({ contact, body, ...at }) => [formatSequence(at), { contact, body }]));
}
