import type { Event, EventType } from "../model/event.ts";
import type { Operation, OperationName } from "../model/operation.ts";

/** Where a piece of a flow stands in the configuration. Lines and columns count from 1. */
export interface ConfigPosition {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** An operation that a flow asks for, and where. */
export interface PlannedOperation {
  readonly name: OperationName;
  readonly position: ConfigPosition;
  readonly path: string;
}

/** Whether `when` let the event pass. */
export type Verdict = { readonly pass: true } | { readonly pass: false; readonly reason: string };

/** Whether a dead delivery holds its lane or lets it go on. */
export type OnDead = "hold" | "skip";

/**
 * A compiled flow. Its functions are pure: same event in, same answer out, no I/O. They throw `AppError` `mapping_failed` with the position
 * and the expression, or `operation_invalid` with the path of the value, in `details`.
 */
export interface Flow {
  readonly name: string;
  readonly position: ConfigPosition;
  /** The connections it listens to. */
  readonly connections: readonly string[];
  readonly events: readonly EventType[];
  /** The connection that all its operations go to. */
  readonly target: string;
  /**
   * What a dead delivery does to its lane: `hold` keeps it standing until somebody retries, edits or discards the delivery, `skip` lets it go
   * on. Absent is `skip`.
   */
  readonly onDead?: OnDead;
  /** The lane's key: the event's subject unless the flow says otherwise. Never empty. */
  readonly lane: (event: Event) => string;
  readonly when: (event: Event) => Verdict;
  /** What it asks of its target, for the check that the target can do it. Absent in a flow that was not compiled from a configuration. */
  readonly operations?: readonly PlannedOperation[];
  /** The operations for this event, validated, in the order of the flow. */
  readonly map: (event: Event) => readonly Operation[];
}
