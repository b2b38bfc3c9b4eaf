import type { EventType } from "deskbridge/sdk";
import type { Config } from "./config.ts";

type FulfillmentEvent = Extract<EventType, `fulfillment.${string}`>;

const typeByStatus: Readonly<Record<string, FulfillmentEvent>> = {
  delayed: "fulfillment.delayed",
  attempted_delivery: "fulfillment.attempted",
  delivered: "fulfillment.delivered",
};

/** The event that a carrier's report stands for; undefined for a status that says all is well. */
export function carrierEventType(settings: Config, status: string): FulfillmentEvent | undefined {
  return settings.failureStatuses.includes(status) ? "fulfillment.failed" : typeByStatus[status];
}

/** Whether a fulfillment of this status failed. Its delivery is told by carrier reports. */
export function hasFailed(settings: Config, status: string): boolean {
  return settings.failureStatuses.includes(status);
}

/** Whether the configuration asks for holds of this reason. */
export function takesHold(settings: Config, reason: string): boolean {
  return settings.holdReasons === undefined || settings.holdReasons.includes(reason);
}

/**
 * Identities of what happens once: the same whether a webhook or a poll tells of it, so that the ledger keeps one of the two. What
 * has no identity of its own is named after its delivery.
 */
export const identity = {
  orderCreated: (order: string): string => `order/${order}/created`,
  orderUpdated: (order: string, updatedAt: string): string => `order/${order}/updated/${updatedAt}`,
  orderCancelled: (order: string): string => `order/${order}/cancelled`,
  carrierReport: (report: string): string => `fulfillment_event/${report}`,
  fulfillmentStatus: (fulfillment: string, status: string): string => `fulfillment/${fulfillment}/${status}`,
  hold: (hold: string): string => `hold/${hold}`,
  refund: (refund: string): string => `refund/${refund}`,
};
