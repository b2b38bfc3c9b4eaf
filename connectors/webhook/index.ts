import { defineConnector } from "deskbridge/sdk";
import { config } from "./config.ts";
import { createMapper } from "./mapping.ts";
import { createVerifier } from "./verifier.ts";

export default defineConnector({
  name: "webhook",
  description: "Any sender of JSON webhooks: verified by its scheme, mapped to events by CEL.",
  config,
  open: (settings) => ({
    webhook: {
      verify: createVerifier(settings.verify),
      parse: createMapper(settings.batch, settings.events),
    },
  }),
});
