import type { RateReading } from "../sdk/http.ts";
import type { BudgetLimit } from "./budget.ts";
import type { BudgetNews } from "./budget-store.ts";

/** What is known of an account: the limit in force and the weight used by the last answer of the store. */
interface Known {
  readonly limit: number;
  readonly used: number;
}

/** After so long it is tried whether the vendor still wants to be left alone, whatever it said: a mistake of its must not last for a day. */
const longestCloseMs = 3_600_000;

/** For how long nothing may be sent, in milliseconds. */
export function closingOf({ retryAfterMs = 0 }: RateReading): number {
  return Math.min(Math.max(0, Math.ceil(retryAfterMs)), longestCloseMs);
}

/** What of a vendor's words the store has to hear: another limit, calls that are not ours, or that it wants to be left alone. */
export function newsOf(reading: RateReading, declared: BudgetLimit, known: Known): BudgetNews | undefined {
  const limit = otherLimit(reading.limit, declared, known);
  const used = usedBeyond(reading, known);
  const closeMs = closingOf(reading);
  const { resetMs } = reading;
  if (limit === undefined && used === undefined && closeMs === 0) return undefined;
  return {
    ...(limit === undefined ? {} : { limit }),
    ...(used === undefined ? {} : { used }),
    ...(resetMs === undefined ? {} : { resetMs: Math.max(0, Math.ceil(resetMs)) }),
    ...(closeMs > 0 ? { closeMs } : {}),
  };
}

function otherLimit(said: number | undefined, declared: BudgetLimit, known: Known): number | undefined {
  if (said === undefined || said < 1) return undefined;
  const limit = Math.floor(said);
  const isIgnored = declared.ceiling === true && limit > declared.calls && known.limit === declared.calls;
  return limit === known.limit || isIgnored ? undefined : limit;
}

function usedBeyond({ limit, remaining }: RateReading, known: Known): number | undefined {
  if (remaining === undefined) return undefined;
  const used = Math.ceil((limit ?? known.limit) - Math.max(0, remaining));
  return used > known.used ? used : undefined;
}
