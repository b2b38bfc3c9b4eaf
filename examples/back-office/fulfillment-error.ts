import type { SupportApi } from "../support-api.ts";

/** What the order system writes down when a fulfillment goes wrong. */
export interface FulfillmentError {
  readonly id: string;
  readonly at: string;
  readonly reason: string;
  readonly order: {
    readonly id: string;
    readonly name: string;
    readonly totalCents: number;
    readonly currency: string;
  };
  readonly customer: { readonly id: string; readonly email: string; readonly name: string };
}

interface Ticket {
  readonly id: string;
  readonly number: number;
}

/** What became of a report: `created`, `appended`, or `unchanged` when it had been reported before. */
export interface Report {
  readonly ticket: Ticket;
  readonly result: string | null;
}

/**
 * Files a fulfillment error: one ticket a fulfillment, with its customer and its order. Reported again it changes nothing; a new error of the same
 * fulfillment is a message more on its ticket, which is opened again when somebody had closed it.
 */
export async function reportError(api: SupportApi, error: FulfillmentError): Promise<Report> {
  const { order, customer } = error;
  const { body, result } = await api<Ticket>({
    method: "PUT",
    path: `/v1/tickets/by-ref/back-office/${encodeURIComponent(`fulfillment:${error.id}`)}`,
    body: {
      subject: `Order ${order.name} could not be fulfilled`,
      requester: {
        email: customer.email,
        name: customer.name,
        ref: { source: "shop", external_id: customer.id },
      },
      message: {
        text: error.reason,
        visibility: "internal",
        author: { type: "system", id: "back-office" },
        // A message is said once per ref, for ever: the same error of the same moment is the same message.
        ref: { source: "back-office", external_id: `${error.id}/${error.at}` },
      },
      tags: ["fulfillment-error"],
      priority: order.totalCents >= 20_000 ? "high" : "normal",
      channel: "back-office",
      orders: [
        {
          source: "shop",
          external_id: order.id,
          name: order.name,
          status: "fulfillment failed",
          total: { minor: order.totalCents, currency: order.currency },
        },
      ],
      repeat: { closed: "reopen" },
    },
  });
  return { ticket: body, result };
}
