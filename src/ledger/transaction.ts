import type { Pool, PoolClient } from "pg";

/** Runs statements in one transaction on a connection of their own; what throws rolls all of it back. */
export async function inTransaction<T>(pool: Pool, run: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  try {
    await client.query("begin");
    const result = await run(client);
    await client.query("commit");
    client.release();
    return result;
  } catch (error) {
    // A connection whose transaction failed is not given back: whatever state it is in goes with it.
    client.release(true);
    throw error;
  }
}
