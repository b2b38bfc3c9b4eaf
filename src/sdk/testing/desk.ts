import { setImmediate as tick } from "node:timers/promises";
import { expect } from "vitest";
import { AppError } from "../../errors.ts";
import type { TicketStatus } from "../../model/data.ts";
import type { OperationInput, OperationName } from "../../model/operation.ts";
import type { Desk, EffectReceipt, IdempotencySupport } from "../desk.ts";
import { createEffectCall } from "../write-once.ts";
import type { ConformanceCase } from "./conformance.ts";
import { runCases } from "./conformance.ts";
import { deskFaultCases } from "./desk-fault-cases.ts";
import { deskOnceCases } from "./desk-once-cases.ts";
import { deskOperationCases } from "./desk-operation-cases.ts";
import type { DeskProxy } from "./desk-proxy.ts";
import { createEffectMemory } from "./effect-memory.ts";

/** A ticket as the desk holds it, read past the connector. */
export interface DeskTicket {
  readonly id: string;
  readonly subject: string;
  readonly status: string;
  readonly priority: string;
  readonly tags: readonly string[];
  /** Ids of the linked orders in their own systems. */
  readonly orders: readonly string[];
  readonly requesterEmail: string | undefined;
  /** In the order in which they were added. */
  readonly messages: readonly { readonly text: string; readonly visibility: string }[];
}

/** An open desk with a way to look behind it. */
export interface DeskFixture {
  readonly desk: Desk;
  /** Between the connector and the desk. */
  readonly proxy: DeskProxy;
  /** The ticket that has this key now; undefined when there is none. */
  readonly ticket: (key: string) => Promise<DeskTicket | undefined>;
  /** What becomes of a status on a desk that has fewer; itself unless told. */
  readonly statusOf?: (status: TicketStatus) => TicketStatus;
  /** How many tickets there are with this subject. */
  readonly countTickets: (subject: string) => Promise<number>;
  /** How many contacts there are with this e-mail address. */
  readonly countContacts: (email: string) => Promise<number>;
  readonly close: () => Promise<void>;
}

export interface DeskSuite {
  readonly name: string;
  /** What the desk declares; `key` unless told. */
  readonly idempotency?: IdempotencySupport["kind"];
  /** Opens the connector on a desk of its own or a shared one: keys and addresses are new in every case. */
  readonly open: () => Promise<DeskFixture>;
  /** Operations that the desk does not offer, each with the reason. The suite asserts that they are not there. */
  readonly without?: Partial<Readonly<Record<OperationName, string>>>;
}

/** What a case works with. */
export interface DeskKit extends DeskFixture {
  /** A word that no other case has used. */
  readonly fresh: (what: string) => string;
  /**
   * Carries out an operation with this effect key. What a desk without idempotency keys needs on record is kept for the case, and where the
   * engine would wait for the desk to be able to tell, the record's clock is put forward.
   */
  readonly run: <N extends OperationName>(
    name: N,
    input: OperationInput<N>,
    effectKey: string,
    signal?: AbortSignal,
  ) => Promise<EffectReceipt>;
  /** The input of a `ticket.open` with a subject, requester and message of its own. */
  readonly newTicket: (overrides?: Partial<OperationInput<"ticket.open">>) => OperationInput<"ticket.open">;
}

/** A case of the desk suite, and the operations that it needs. */
export interface DeskCase {
  readonly name: string;
  readonly needs: readonly OperationName[];
  /** Set for a case that only desks of this kind can be held to. */
  readonly only?: IdempotencySupport["kind"];
  readonly run: (kit: DeskKit) => Promise<void>;
}

/** Holds a desk to what the engine relies on: effects happen once, faults are classified, operations do what they say. */
export function testDesk(suite: DeskSuite): void {
  runCases(`desk of ${suite.name}`, deskCases(suite));
}

/** The cases of `testDesk`, to be run one by one. */
export function deskCases(suite: DeskSuite): readonly ConformanceCase[] {
  const kind = suite.idempotency ?? "key";
  const cases = [...deskOnceCases, ...deskOperationCases, ...deskFaultCases];
  const own = cases.filter(({ only = kind }) => only === kind);
  return own.map((one) => {
    const missing = one.needs.find((name) => suite.without?.[name] !== undefined);
    const run = missing === undefined ? one.run : (kit: DeskKit) => isMissing(kit, missing);
    const reason = missing === undefined ? "" : ` (not offered: ${missing}, ${suite.without?.[missing]})`;
    return { name: `${one.name}${reason}`, run: () => withKit(suite, run) };
  });
}

async function isMissing({ desk }: DeskKit, name: OperationName): Promise<void> {
  expect(desk.operations).not.toHaveProperty([name]);
}

async function withKit(suite: DeskSuite, run: (kit: DeskKit) => Promise<void>): Promise<void> {
  const fixture = await suite.open();
  try {
    await run(createKit(fixture));
  } finally {
    await fixture.close();
  }
}

function createKit(fixture: DeskFixture): DeskKit {
  const base = `${Date.now().toString(36)}${Math.random().toString(36).slice(2, 8)}`;
  let count = 0;
  const fresh = (what: string): string => {
    count += 1;
    return `${what}-${base}-${count}`;
  };
  return {
    ...fixture,
    fresh,
    run: createRunner(fixture.desk),
    newTicket: (overrides = {}) => ({
      key: fresh("key"),
      requester: { email: `${fresh("person")}@example.com`, name: "Ada Lovelace" },
      subject: fresh("Order"),
      message: "The parcel could not be delivered.",
      visibility: "public",
      tags: ["fulfillment-error"],
      orders: [],
      onClosed: "reopen",
      ...overrides,
    }),
  };
}

/** Carries out operations as the engine does, with its own record of effects and a clock that is put forward instead of waiting. */
function createRunner(desk: Desk): DeskKit["run"] {
  let forwardMs = 0;
  const log = createEffectMemory(() => Date.now() + forwardMs);
  return async (name, input, effectKey, signal = new AbortController().signal) => {
    const operation = desk.operations[name];
    if (operation === undefined) throw new Error(`the desk does not offer ${name}`);
    for (let left = 10_000; ; left -= 1) {
      const call = await createEffectCall({
        effectKey,
        signal,
        idempotency: desk.idempotency,
        log: () => log,
      });
      try {
        return await operation(input, call);
      } catch (error) {
        const isPending = error instanceof AppError && error.code === "effect_pending";
        if (!isPending || left === 0) throw error;
        if (error.details["reason"] === "busy") await tick();
        else forwardMs += error.retryAfterMs ?? 0;
      }
    }
  };
}
