import type { ConfigPosition, Flow } from "../flows/flow.ts";
import { whyNotSelected } from "../flows/route.ts";
import { tryFlow } from "../flows/try.ts";
import type { DataChange } from "../ledger/dead-letters.ts";
import type { DeliveryWay, EventWay, InterventionRow } from "../ledger/reader.ts";
import { eventOf } from "../ledger/reader.ts";
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
export type DeliveryStory = DeliveryWay;

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

/** A delivery as it may be shown: what was mapped and edited is masked unless it is asked for. */
export function shownDelivery(delivery: DeliveryStory, showData: boolean): DeliveryStory {
  if (showData) return delivery;
  const { history, interventions, editedData } = delivery;
  return {
    ...delivery,
    history: history.map((attempt) => ({
      ...attempt,
      operations: attempt.operations?.map(({ name, input }) => ({ name, input: maskValues(input) })) ?? null,
    })),
    interventions: interventions.map((one) => ({ ...one, details: shownDetails(one) })),
    editedData: editedData === null ? null : maskValues(editedData),
  };
}

/** Of an edit the paths are shown; what a person wrote as a reason is for all to read. */
function shownDetails({ kind, details }: InterventionRow): InterventionRow["details"] {
  if (kind !== "edited") return details;
  const changes = details["changes"] as readonly DataChange[];
  return { changes: changes.map(({ path, ...values }) => ({ path, ...(maskValues(values) as object) })) };
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
  const { flows = [], event, showData } = options;
  const delivered = new Set(way.deliveries.map((delivery) => delivery.flow));
  const { sequence, receivedAt, via } = way.event;
  const { data, raw, ...facts } = eventOf(way.event);
  const bodies = { data, ...(raw === undefined ? {} : { raw }) };
  return {
    event: { ...facts, sequence, receivedAt, via, ...(showData ? bodies : {}) },
    enrichment: options.enrichment,
    flows: [
      ...way.deliveries.map((received) => {
        const delivery = shownDelivery(received, showData);
        const flow = flows.find((candidate) => candidate.name === delivery.flow);
        if (flow !== undefined)
          return tellFlow(flow, delivery, { ...options, event: eventFor(received, event) });
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

/** What the delivery's next attempt maps: the event, with the data that was put in place of its own. */
function eventFor({ editedData }: DeliveryStory, event: Event): Event {
  return editedData === null ? event : { ...event, data: editedData as Event["data"] };
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
