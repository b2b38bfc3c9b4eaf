import { AppError } from "../errors.ts";

/** Rejects with `queue_unavailable` when the promise takes longer; what it comes to later is ignored. */
export async function withTimeLimit<T>(promise: Promise<T>, withinMs: number): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new AppError("queue_unavailable", `the queue backend did not answer within ${withinMs} ms`)),
    withinMs,
  );
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
