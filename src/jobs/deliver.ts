import { carryOut, effectKey } from "../effects/effects.ts";
import { AppError } from "../errors.ts";
import type { Flow } from "../flows/flow.ts";
import type { Lease, Mail, StoredReceipt } from "../ledger/ledger.ts";
import type { Event } from "../model/event.ts";
import type { Operation } from "../model/operation.ts";
import type { CallPriority } from "../sdk/call-context.ts";
import type { Desk, EffectReceipt } from "../sdk/desk.ts";
import type { Engine } from "./engine.ts";

/** What an operation came to, with its place in the flow. */
export type Receipt = EffectReceipt & { readonly index: number; readonly operation: string };

export interface AttemptContext {
  readonly engine: Engine;
  readonly target: string;
  /** Aborted when the process is going down and its time is up. */
  readonly signal: AbortSignal;
  /** Aborted when the process is going down: what still waits for its turn is given up. */
  readonly leaving: AbortSignal;
  readonly priority: CallPriority;
  /** The lane's lease as it is now. */
  readonly lease: () => Lease;
  /** Makes sure that the lane is still ours, before anything is sent. */
  readonly holdLease: () => Promise<void> | void;
}

/** What an attempt has found out so far: kept when it fails, too. */
export interface Progress {
  readonly receipts: Receipt[];
  operations: readonly Operation[] | undefined;
}

type Delivered = { readonly kind: "done" } | { readonly kind: "skipped"; readonly reason: string };

/** Decides, maps and sends one delivery's operations, in their order; what an earlier try is on record as having carried out is not sent again. */
export async function deliver(
  mail: Mail,
  event: Event,
  context: AttemptContext,
  progress: Progress,
): Promise<Delivered> {
  const { engine, target } = context;
  const { flow, desk } = await destination(mail, context);
  const verdict = flow.when(event);
  if (!verdict.pass) return { kind: "skipped", reason: verdict.reason };
  const operations = flow.map(event);
  progress.operations = operations;
  engine.crashPoint("work.mapped");
  const onRecord = mail.again ? await engine.ledger.receipts(mail.sequence, flow.name, target) : [];
  for (const [index, operation] of operations.entries()) {
    const earlier = carriedOut(onRecord, index, operation);
    const receipt = earlier ?? (await send(desk, operation, index, { mail, event, flow, context }));
    progress.receipts.push({ ...receipt, index, operation: operation.name });
  }
  return { kind: "done" };
}

async function destination(
  { flow: name }: Mail,
  { engine, target }: AttemptContext,
): Promise<{ readonly flow: Flow; readonly desk: Desk }> {
  const { flows, connections } = engine.setup();
  const flow = flows.get(name);
  if (flow === undefined) throw new AppError("flow_removed", `flow ${name} is no longer configured`);
  const desk = connections.get(target)?.connection.desk;
  if (desk === undefined) {
    throw new AppError("connection_unknown", `connection ${target} is not a configured desk`);
  }
  return { flow, desk };
}

/** The receipt of the same operation at the same place; one that the mapping has since replaced by another kind is not the same. */
function carriedOut(
  onRecord: readonly StoredReceipt[],
  index: number,
  { name }: Operation,
): EffectReceipt | undefined {
  const found = onRecord.findLast((receipt) => receipt["index"] === index && receipt["operation"] === name);
  return found === undefined ? undefined : ({ ...found, replayed: true } as unknown as EffectReceipt);
}

interface SendFacts {
  readonly mail: Mail;
  readonly event: Event;
  readonly flow: Flow;
  readonly context: AttemptContext;
}

async function send(
  desk: Desk,
  operation: Operation,
  index: number,
  { mail, event, flow, context }: SendFacts,
): Promise<EffectReceipt> {
  const { engine, target, signal } = context;
  await context.holdLease();
  const stopTimer = engine.metrics.targetCall(target, operation.name);
  try {
    return await carryOut(desk, operation, {
      effectKey: effectKey(event, flow.name, index, operation.name),
      signal,
      log: () => engine.ledger.effectLog(context.lease(), mail.delivery),
      keyForgotten: isKeyForgotten(desk, mail, engine.now()),
      crashPoint: engine.crashPoint,
    });
  } finally {
    stopTimer();
  }
}

/** Whether the target may have seen this effect's key so long ago that it has forgotten it. */
function isKeyForgotten({ idempotency }: Desk, mail: Mail, now: number): boolean {
  if (idempotency.kind !== "key" || !mail.again) return false;
  return now - mail.receivedAt > idempotency.windowSeconds * 1000;
}
