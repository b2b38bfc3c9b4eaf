import { AppError, createHmacVerifier, parseJsonBody } from "deskbridge/sdk";
import type { HmacScheme, Webhook } from "deskbridge/sdk";
import { shipment, shipmentEvents } from "./shipment.ts";

/** The vendor signs `<timestamp>.<body>` with HMAC-SHA256, in hex. */
export const scheme: HmacScheme = {
  header: "x-example-signature",
  algorithm: "sha256",
  encoding: "hex",
  signedContent: "{timestamp}.{body}",
  timestampHeader: "x-example-timestamp",
  toleranceSeconds: 300,
};

/** Receives the vendor's webhooks; their body is one shipment. */
export function createWebhook(secrets: readonly string[]): Webhook {
  return {
    verify: createHmacVerifier(scheme, secrets),
    parse: (request) => {
      const parsed = shipment.safeParse(parseJsonBody(request.body));
      if (parsed.success) return shipmentEvents(parsed.data);
      const path = parsed.error.issues[0]?.path.join(".") ?? "";
      throw new AppError(
        "webhook_malformed",
        `The body is not a shipment: "${path}" is missing or of another type.`,
      );
    },
  };
}
