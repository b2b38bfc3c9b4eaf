import { toAppError } from "../errors.ts";
import type { DeliveryPriority, NewDelivery } from "../ledger/ledger.ts";
import type { Event } from "../model/event.ts";
import type { Flow } from "./flow.ts";

/**
 * The deliveries to make of an event, one for each flow that listens to its connection and type. `when` is left to the worker, which asks it of
 * the enriched event. A flow whose lane fails gets a delivery that is dead from the start, on the event's own lane, with the reason.
 */
export function routeEvent(flows: readonly Flow[], event: Event, priority: DeliveryPriority): NewDelivery[] {
  const deliveries: NewDelivery[] = [];
  for (const flow of flows) {
    if (!flow.events.includes(event.type) || !flow.connections.includes(event.source)) continue;
    const { name, target } = flow;
    try {
      deliveries.push({ flow: name, target, lane: flow.lane(event), priority });
    } catch (error) {
      const { code, message } = toAppError(error);
      deliveries.push({ flow: name, target, lane: event.subject, priority, dead: { code, message } });
    }
  }
  return deliveries;
}

/** Why a flow takes an event or leaves it. */
export type FlowMatch =
  | { readonly flow: string; readonly matched: true; readonly target: string; readonly lane: string }
  | { readonly flow: string; readonly matched: false; readonly reason: string };

/** For each flow whether it takes this event, and why not. `when` is asked of the event as it is given: enrich it first where that matters. */
export function explainRouting(flows: readonly Flow[], event: Event): FlowMatch[] {
  return flows.map((flow) => explainFlow(flow, event));
}

function explainFlow(flow: Flow, event: Event): FlowMatch {
  const left = (reason: string): FlowMatch => ({ flow: flow.name, matched: false, reason });
  const reason = whyNotSelected(flow, event);
  if (reason !== undefined) return left(reason);
  try {
    const verdict = flow.when(event);
    if (!verdict.pass) return left(verdict.reason);
    return { flow: flow.name, matched: true, target: flow.target, lane: flow.lane(event) };
  } catch (error) {
    return left(toAppError(error).message);
  }
}

/** Why a flow's `on:` leaves this event, or undefined when it takes it. */
export function whyNotSelected(flow: Flow, event: Event): string | undefined {
  if (!flow.connections.includes(event.source)) {
    return `it listens to ${flow.connections.join(", ")}; the event is from ${event.source}`;
  }
  if (!flow.events.includes(event.type)) {
    return `it takes ${flow.events.join(", ")}; the event is ${event.type}`;
  }
  return undefined;
}
