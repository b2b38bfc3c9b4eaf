import { toAppError } from "../errors.ts";
import type { AppError } from "../errors.ts";
import type { Event } from "../model/event.ts";
import type { Operation } from "../model/operation.ts";
import type { Flow } from "./flow.ts";
import { whyNotSelected } from "./route.ts";

/** What a flow would do with an event. */
export type Trial =
  | {
      readonly outcome: "mapped";
      readonly target: string;
      readonly lane: string;
      readonly operations: readonly Operation[];
    }
  | { readonly outcome: "skipped"; readonly reason: string }
  | { readonly outcome: "failed"; readonly error: AppError };

/** Runs a flow on an event without doing anything: its lane, its `when`, its operations, or why it stops. */
export function tryFlow(flow: Flow, event: Event): Trial {
  const reason = whyNotSelected(flow, event);
  if (reason !== undefined) return { outcome: "skipped", reason };
  try {
    const lane = flow.lane(event);
    const verdict = flow.when(event);
    if (!verdict.pass) return { outcome: "skipped", reason: verdict.reason };
    return { outcome: "mapped", target: flow.target, lane, operations: flow.map(event) };
  } catch (error) {
    return { outcome: "failed", error: toAppError(error) };
  }
}
