import type { ConfigPosition, Flow } from "../flows/flow.ts";
import { whyNotSelected } from "../flows/route.ts";
import { tryFlow } from "../flows/try.ts";
import type { EventRow, EventWay } from "../ledger/reader.ts";
import type { Event } from "../model/event.ts";
import type { Operation } from "../model/operation.ts";
import { maskValues } from "./mask.ts";

/** What a flow, as it is configured now, makes of an event. Values are masked unless they are asked for. */
export type FlowAnswer =
  | { readonly kind: "maps"; readonly lane: string; readonly operations: readonly MappedOperation[] }
  /** `when` is false. */
  | { readonly kind: "leaves"; readonly reason: string }
  | { readonly kind: "fails"; readonly code: string; readonly message: string };

export interface MappedOperation {
  readonly name: Operation["name"];
  readonly input: unknown;
}

/** A delivery as the ledger has it, with its attempts. */
export type DeliveryStory = EventWay["deliveries"][number];

/** One flow's part in the way of an event: what was delivered, and what it would do with the event now. */
export interface FlowStory {
  readonly flow: string;
  /** Whether there is a flow of this name now; null when the configuration cannot be loaded. */
  readonly configured: boolean | null;
  readonly position: ConfigPosition | undefined;
  /** Whether the `on:` of the configured flow takes the event, and why not. */
  readonly matched: boolean | undefined;
  readonly reason: string | undefined;
  readonly delivery: DeliveryStory | undefined;
  readonly answer: FlowAnswer | undefined;
}

/** Whether the event's own system was asked for what the event lacks before the flows' answers were worked out. */
export type Enrichment =
  | { readonly kind: "none" }
  | { readonly kind: "done" }
  | { readonly kind: "failed"; readonly code: string; readonly message: string };

/** An event under the names that events have everywhere, with what the ledger knows of it. `data` and `raw` are there when they are asked for. */
export interface StoredEvent extends Omit<Event, "data"> {
  readonly data?: Event["data"];
  readonly sequence: number;
  readonly receivedAt: string;
  readonly via: string;
}

/** The whole way of one event, for `explain`. */
export interface EventStory {
  readonly event: StoredEvent;
  readonly enrichment: Enrichment;
  /** Those with a delivery first, in the order of their deliveries. */
  readonly flows: readonly FlowStory[];
}

interface StoryOptions {
  /** The flows in force, undefined when the configuration cannot be loaded. */
  readonly flows: readonly Flow[] | undefined;
  /** The event as the flows are to see it. */
  readonly event: Event;
  readonly enrichment: Enrichment;
  readonly showData: boolean;
}

/** Puts together what the ledger has on record and what the configuration says now. Pure. */
export function tellStory(way: EventWay, options: StoryOptions): EventStory {
  const { flows = [], showData } = options;
  const delivered = new Set(way.deliveries.map((delivery) => delivery.flow));
  const { sequence, receivedAt, via } = way.event;
  const { data, raw, ...facts } = eventOf(way.event);
  const bodies = { data, ...(raw === undefined ? {} : { raw }) };
  return {
    event: { ...facts, sequence, receivedAt, via, ...(showData ? bodies : {}) },
    enrichment: options.enrichment,
    flows: [
      ...way.deliveries.map((delivery) => {
        const flow = flows.find((candidate) => candidate.name === delivery.flow);
        if (flow !== undefined) return tellFlow(flow, delivery, options);
        return {
          flow: delivery.flow,
          delivery,
          configured: options.flows === undefined ? null : false,
          position: undefined,
          matched: undefined,
          reason: undefined,
          answer: undefined,
        };
      }),
      ...flows.filter((flow) => !delivered.has(flow.name)).map((flow) => tellFlow(flow, undefined, options)),
    ],
  };
}

function tellFlow(
  flow: Flow,
  delivery: DeliveryStory | undefined,
  { event, showData }: StoryOptions,
): FlowStory {
  const reason = whyNotSelected(flow, event);
  return {
    flow: flow.name,
    configured: true,
    position: flow.position,
    matched: reason === undefined,
    reason,
    delivery,
    answer: reason === undefined ? answerOf(flow, event, showData) : undefined,
  };
}

/** A dry run of one flow that listens to the event. */
export function answerOf(flow: Flow, event: Event, showData: boolean): FlowAnswer {
  const trial = tryFlow(flow, event);
  if (trial.outcome === "skipped") return { kind: "leaves", reason: trial.reason };
  if (trial.outcome === "failed")
    return { kind: "fails", code: trial.error.code, message: trial.error.message };
  const operations = trial.operations.map(({ name, input }) => ({
    name,
    input: showData ? input : maskValues(input),
  }));
  return { kind: "maps", lane: trial.lane, operations };
}

/** The event as it was received, out of the ledger. */
export function eventOf(row: EventRow): Event {
  const { eventId, connection, type, subject, happenedAt, data, raw } = row;
  const event = { id: eventId, source: connection, type, subject, time: happenedAt, data } as Event;
  return raw === null || raw === undefined ? event : { ...event, raw };
}
