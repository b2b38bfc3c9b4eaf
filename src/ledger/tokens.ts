import type { Pool } from "pg";
import type { TokenStore } from "../sdk/token.ts";
import { inTransaction } from "./transaction.ts";

/**
 * Where a connection's token is kept for all processes. Who renews it holds its row; others wait and then find it. The vendor is asked within the
 * transaction: it happens once in the life of a token.
 */
export function createTokenStore(
  pool: Pool,
  connection: string,
  guarded: <T>(run: () => Promise<T>) => Promise<T>,
): TokenStore {
  return {
    exchange: async (change) => {
      // What `change` throws is the caller's own, so it is not taken for a fault of the database.
      let thrown: { readonly error: unknown } | undefined;
      const kept = await guarded(() =>
        inTransaction(pool, async (client) => {
          await client.query("insert into connection_token (connection) values ($1) on conflict do nothing", [
            connection,
          ]);
          const { rows } = await client.query<{ sealed: string | null }>(
            "select sealed from connection_token where connection = $1 for update",
            [connection],
          );
          const before = rows[0]?.sealed ?? undefined;
          const after = await change(before).catch((error: unknown) => {
            thrown = { error };
            return undefined;
          });
          if (after !== undefined && after !== before) {
            await client.query(
              "update connection_token set sealed = $2, kept_at = clock_timestamp() where connection = $1",
              [connection, after],
            );
          }
          return after;
        }),
      );
      if (kept === undefined) throw thrown?.error;
      return kept;
    },
  };
}
