import { z } from "zod";
import type { EventInput } from "deskbridge/sdk";

/** A shipment as the vendor shows it, in webhooks and in lists alike. */
export const shipment = z.object({
  id: z.string().min(1),
  orderId: z.string().min(1),
  state: z.string(),
  reason: z.string().nullish(),
  updatedAt: z.iso.datetime({ offset: true }),
});

export type Shipment = z.output<typeof shipment>;

const typeByState = {
  failed: "fulfillment.failed",
  delayed: "fulfillment.delayed",
} as const;

/**
 * The events that a shipment's state stands for; none for a state that nobody acts on. The id is made of what the state is, not of how we learned
 * of it: a webhook and a poll that tell the same give the same id, and the ledger keeps one.
 */
export function shipmentEvents(one: Shipment): readonly EventInput[] {
  const type = typeByState[one.state as keyof typeof typeByState];
  if (type === undefined) return [];
  return [
    {
      id: `shipment/${one.id}/${one.state}/${one.updatedAt}`,
      type,
      subject: `order/${one.orderId}`,
      time: new Date(one.updatedAt).toISOString(),
      data: {
        fulfillment: {
          id: one.id,
          status: one.state,
          ...(one.reason ? { message: one.reason } : {}),
        },
        order: { id: one.orderId, tags: [], items: [] },
      },
      raw: one,
    },
  ];
}
