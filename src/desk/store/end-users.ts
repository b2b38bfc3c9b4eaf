import type { Pool } from "pg";
import type { FeedPosition } from "../change.ts";
import { guarded } from "./fault.ts";

/** What an end user's token leads to. */
interface TokenOwner {
  readonly contact: number;
  readonly name: string | null;
  readonly expiresAt: Date;
}

/** Somebody whom the merchant vouches for. */
export interface SignIn {
  readonly source: string;
  readonly external_id: string;
  /** Only where the merchant says that it is theirs. */
  readonly email?: string | undefined;
  readonly name?: string | undefined;
  /** When the token was signed. */
  readonly issued_at: Date;
}

/** A change that is for a contact, as it is told to them. */
interface OwnChange extends FeedPosition {
  readonly contact: number;
  readonly body: string;
}

interface OwnRange {
  readonly contact: number;
  readonly after: FeedPosition;
  readonly end: FeedPosition;
  readonly limit: number;
}

/** What end users need of the tables besides writing, finding and listing. */
export interface EndUserStore {
  /** The living contact of a token of ours that has not run out. */
  readonly findToken: (hash: Buffer, now: Date) => Promise<TokenOwner | undefined>;
  /** The contact of a token of the merchant's, made when it is the first; undefined for one who was erased after the token was signed. */
  readonly signIn: (signIn: SignIn) => Promise<number | undefined>;
  /** Those of the changes that are for the requester of their ticket. */
  readonly ownChanges: (changes: readonly FeedPosition[]) => Promise<readonly OwnChange[]>;
  /** What happened in a contact's tickets between two places, oldest first. Rows without a body only say how far the look went. */
  readonly ownRange: (
    range: OwnRange,
  ) => Promise<readonly (FeedPosition & { readonly body: string | null })[]>;
  /** Forgets tokens that have run out, and erasures before `erasedBefore`. */
  readonly prune: (now: Date, erasedBefore: Date) => Promise<void>;
}

const tokenText = `select c.id as contact, c.name, t.expires_at as "expiresAt"
  from client_token t join contact c on c.id = survivor_of(t.contact)
  where t.hash = $1 and t.expires_at > $2 and c.erased_at is null`;

const rangeText = "select tx, id, body from own_events_between($1, $2, $3, $4, $5, $6)";

export function createEndUserStore(pool: Pool): EndUserStore {
  return {
    findToken: async (hash, now) => {
      const query = { name: "desk-client-token", text: tokenText, values: [hash, now] };
      return (await guarded(() => pool.query<TokenOwner>(query))).rows[0];
    },
    signIn: async (signIn) => {
      const text = "select sign_in($1::jsonb) as contact";
      const query = { name: "desk-sign-in", text, values: [JSON.stringify(signIn)] };
      const { rows } = await guarded(() => pool.query<{ readonly contact: number | null }>(query));
      return rows[0]?.contact ?? undefined;
    },
    ownChanges: async (changes) => {
      const text = "select tx, id, contact, body from own_events($1, $2) where body is not null";
      const values = [changes.map(({ tx }) => tx), changes.map(({ id }) => id)];
      return (await guarded(() => pool.query<OwnChange>({ name: "desk-own-events", text, values }))).rows;
    },
    ownRange: async ({ contact, after, end, limit }) => {
      const values = [contact, after.tx, after.id, end.tx, end.id, limit];
      const query = { name: "desk-own-range", text: rangeText, values };
      return (await guarded(() => pool.query<FeedPosition & { readonly body: string | null }>(query))).rows;
    },
    prune: async (now, erasedBefore) => {
      await guarded(() => pool.query("delete from client_token where expires_at <= $1", [now]));
      await guarded(() => pool.query("delete from erased_sign_in where erased_at < $1", [erasedBefore]));
    },
  };
}
