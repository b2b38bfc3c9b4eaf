import type { Pool } from "pg";
import { AppError } from "../../errors.ts";
import { guarded, toStoreError } from "./fault.ts";

/** The functions behind the `write` function of the migrations. */
export type WriteOperation =
  | "create_contact"
  | "patch_contact"
  | "put_contact"
  | "add_identity"
  | "remove_identity"
  | "merge_contacts"
  | "unmerge_contact"
  | "erase_contact"
  | "put_order"
  | "create_ticket"
  | "put_ticket"
  | "patch_ticket"
  | "add_message"
  | "link_order"
  | "unlink_order"
  | "rate_ticket"
  | "put_business_hours"
  | "merge_tickets"
  | "create_webhook"
  | "patch_webhook"
  | "delete_webhook"
  | "rotate_webhook_secret"
  | "test_webhook"
  | "replay_webhook"
  | "retry_webhook_delivery"
  | "create_client_token"
  | "revoke_client_token"
  | "open_own_ticket"
  | "add_own_message"
  | "rate_own_ticket"
  | "create_attachment";

export interface Write {
  readonly operation: WriteOperation;
  /** As the function of that name takes it. */
  readonly input: object;
  /** Id of the caller, for the record. */
  readonly actor: string;
  /** Makes the write happen once: the same key again brings the first answer. */
  readonly idempotency: { readonly scope: string; readonly key: string; readonly hash: Buffer } | undefined;
}

export interface Written {
  readonly status: number;
  readonly result: string;
  /** The message that was added, if one was. */
  readonly message: number | null;
  readonly version: number | null;
  /** JSON. */
  readonly body: string;
  readonly replayed: boolean;
}

const writeText =
  "select status, result, message, version, body, replayed from write($1, $2::jsonb, $3, $4, $5, $6)";

/** Carries out one write in a transaction of its own: one statement, one round trip. */
export async function write(pool: Pool, { operation, input, actor, idempotency }: Write): Promise<Written> {
  const values = [
    operation,
    JSON.stringify(input),
    actor,
    idempotency?.scope ?? null,
    idempotency?.key ?? null,
    idempotency?.hash ?? null,
  ];
  const { rows } = await guarded(() => pool.query<Written>({ name: "desk-write", text: writeText, values }));
  const [written] = rows;
  if (written === undefined) throw new AppError("internal", `the operation ${operation} brought no answer`);
  return written;
}

interface BatchRow extends Written {
  readonly place: number;
  readonly fault: string | null;
  readonly fault_message: string | null;
  readonly fault_detail: string | null;
}

/**
 * Carries out several writes in one transaction, one after the other; each of its own accord: one that is refused is its error in the answer, and
 * the others stand. Throws, with nothing written, where the database broke off the whole.
 */
export async function writeMany(
  pool: Pool,
  requests: readonly Write[],
): Promise<readonly (Written | AppError)[]> {
  const items = requests.map(({ operation, input, actor, idempotency }) => ({
    operation,
    input,
    actor,
    scope: idempotency?.scope,
    key: idempotency?.key,
    hash: idempotency?.hash.toString("hex"),
  }));
  const text = "select * from write_many($1::jsonb)";
  const values = [JSON.stringify(items)];
  const { rows } = await guarded(() => pool.query<BatchRow>({ name: "desk-write-many", text, values }));
  return rows.map(({ place: _place, fault, fault_message: message, fault_detail: detail, ...written }) =>
    fault === null ? written : toStoreError({ code: fault, message, detail }),
  );
}

const pruneText = `
delete from idempotency where ctid = any (array(
  select ctid from idempotency where created_at < $1 order by created_at limit $2
))`;

/** Forgets answers that are older than `before`, `batch` at a time; returns how many went. */
export async function pruneIdempotency(pool: Pool, before: Date, batch: number): Promise<number> {
  let gone = 0;
  for (;;) {
    const { rowCount } = await guarded(() => pool.query(pruneText, [before, batch]));
    gone += rowCount ?? 0;
    if ((rowCount ?? 0) < batch) return gone;
  }
}
