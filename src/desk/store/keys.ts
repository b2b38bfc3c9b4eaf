import type { Pool } from "pg";
import type { Scope } from "../scope.ts";
import { guarded } from "./fault.ts";

/** An API key as it is stored; the key itself is not. */
export interface KeyRow {
  readonly id: number;
  readonly name: string;
  readonly hint: string;
  readonly scopes: readonly Scope[];
  readonly createdAt: Date;
  readonly lastUsedAt: Date | null;
  readonly revokedAt: Date | null;
}

const columns = `id, name, hint, scopes, created_at as "createdAt", last_used_at as "lastUsedAt", revoked_at as "revokedAt"`;

export interface NewKeyRow {
  readonly name: string;
  readonly hash: Buffer;
  readonly hint: string;
  readonly scopes: readonly Scope[];
}

export async function insertKey(pool: Pool, { name, hash, hint, scopes }: NewKeyRow): Promise<KeyRow> {
  const text = `insert into api_key (name, hash, hint, scopes) values ($1, $2, $3, $4) returning ${columns}`;
  const { rows } = await guarded(() => pool.query<KeyRow>(text, [name, hash, hint, scopes]));
  return rows[0] as KeyRow;
}

export async function listKeys(pool: Pool): Promise<readonly KeyRow[]> {
  const { rows } = await guarded(() => pool.query<KeyRow>(`select ${columns} from api_key order by id`));
  return rows;
}

/** The live key with this hash. */
export async function findKey(pool: Pool, hash: Buffer): Promise<KeyRow | undefined> {
  const text = `select ${columns} from api_key where hash = $1 and revoked_at is null`;
  const { rows } = await guarded(() => pool.query<KeyRow>({ name: "desk-key", text, values: [hash] }));
  return rows[0];
}

/** Ends a key; undefined when there is none of this id. Ending it again changes nothing. */
export async function revokeKey(pool: Pool, id: number): Promise<KeyRow | undefined> {
  const text = `update api_key set revoked_at = coalesce(revoked_at, clock_timestamp()) where id = $1 returning ${columns}`;
  const { rows } = await guarded(() => pool.query<KeyRow>(text, [id]));
  return rows[0];
}

/** Notes when keys were last used. */
export async function touchKeys(pool: Pool, uses: ReadonlyMap<number, Date>): Promise<void> {
  const text = `update api_key k set last_used_at = greatest(k.last_used_at, u.at)
    from unnest($1::bigint[], $2::timestamptz[]) as u(id, at) where k.id = u.id`;
  await guarded(() => pool.query(text, [[...uses.keys()], [...uses.values()]]));
}
