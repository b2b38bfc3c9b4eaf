import { defineConnector } from "deskbridge/sdk";
import type { Desk } from "deskbridge/sdk";
import { config } from "./config.ts";
import { createEndpoint } from "./endpoint.ts";
import { createRequestOperation } from "./operation.ts";
import { createWriter } from "./writer.ts";

export default defineConnector({
  name: "http",
  description: "Any HTTP endpoint: takes exports in signed batches of rows, and requests from flows.",
  config,
  open: (settings, context) => {
    const endpoint = createEndpoint(settings, context);
    const { keysRememberedHours: hours } = settings;
    const idempotency: Desk["idempotency"] =
      hours === undefined ? { kind: "none" } : { kind: "key", windowSeconds: hours * 3600 };
    return {
      desk: { idempotency, operations: { "http.request": createRequestOperation(endpoint) } },
      sink: { open: async (request) => createWriter(settings, endpoint, request) },
    };
  },
});
