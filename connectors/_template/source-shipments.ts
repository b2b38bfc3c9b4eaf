import { z } from "zod";
import { AppError, createWindowedSource } from "deskbridge/sdk";
import type { HttpClient, Source } from "deskbridge/sdk";
import { shipment, shipmentEvents } from "./shipment.ts";

const page = z.object({ shipments: z.array(shipment), next: z.string().nullish() });

/** Shipments by time of change. The vendor lists oldest first and pages by a token. */
export function createShipmentSource(http: HttpClient, now: () => number): Source {
  return createWindowedSource({
    description: "shipments that failed or are late",
    every: "5m",
    // A change is listed at the latest a minute after its time, and never changes again once it is five seconds old.
    overlapMs: 60_000,
    lagMs: 5000,
    now,
    fetchPage: async ({ from, to, after, signal }) => {
      const query = { updated_from: from, updated_to: to, after };
      const { body } = await http.request({ method: "GET", path: "/shipments", query, signal });
      const parsed = page.safeParse(body);
      if (!parsed.success)
        throw new AppError("target_protocol", "The list of shipments has another form than documented.");
      const records = parsed.data.shipments.map((one) => ({
        time: one.updatedAt,
        id: one.id,
        events: shipmentEvents(one),
      }));
      return parsed.data.next ? { records, after: parsed.data.next } : { records };
    },
  });
}
