import { AsyncLocalStorage } from "node:async_hooks";

/** Whose calls go first when a rate budget is scarce: live traffic before backfill, backfill before exports. */
export type CallPriority = "live" | "backfill" | "export";

/** What the engine says about all calls that are made on its behalf while something runs. */
export interface CallContext {
  readonly priority: CallPriority;
  /**
   * Awaited before each request, once its budget is granted and directly before it is written. When it throws, nothing is sent and the
   * caller gets what was thrown.
   */
  readonly beforeCall?: () => Promise<void> | void;
  /** Aborted when whoever makes the calls is about to leave: a call that still waits for its budget is given up, and nothing of it was sent. */
  readonly leaving?: AbortSignal | undefined;
}

// Holds nothing by itself: what is in it belongs to the call chain that put it there.
const contexts = new AsyncLocalStorage<CallContext>();

/** Runs `fn`; every HTTP call of a connection that is made in it, at any depth, has this context. */
export function runWithCallContext<T>(context: CallContext, fn: () => T): T {
  return contexts.run(context, fn);
}

/** The context of the calls being made now; undefined outside of any, where calls count as live. */
export function currentCallContext(): CallContext | undefined {
  return contexts.getStore();
}
