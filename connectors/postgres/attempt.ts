import { stateOf } from "./fault.ts";
import type { Session } from "./session.ts";

/** A key that is there already, also of two rows of one statement. */
export const twice = /^(21000|23505)$/;

/**
 * Runs statements in an open transaction that may be refused with one of these SQLSTATEs. Then they are undone, and nothing else of the transaction; what is given
 * back is undefined. Any other fault is thrown.
 */
export async function attempt<T>(
  session: Session,
  states: RegExp,
  run: () => Promise<T>,
): Promise<{ readonly result: T } | undefined> {
  await session.query("SAVEPOINT before_attempt");
  try {
    const result = await run();
    await session.query("RELEASE SAVEPOINT before_attempt");
    return { result };
  } catch (error) {
    if (!states.test(stateOf(error) ?? "")) throw error;
    await session.query("ROLLBACK TO SAVEPOINT before_attempt");
    return undefined;
  }
}
