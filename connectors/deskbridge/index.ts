import { AppError, defineConnector } from "deskbridge/sdk";
import { checkDesk } from "./check.ts";
import { config } from "./config.ts";
import { createDatasetSource } from "./datasets.ts";
import { createEnricher } from "./enrich.ts";
import { createOperations } from "./operations.ts";
import { createChangeSource } from "./source-changes.ts";
import { createWebhook } from "./webhook.ts";

/**
 * The Support API remembers an idempotency key for 72 hours, and the ref of a message for ever; what has no message is a change that a
 * repeat does not make twice. So an effect may be sent again at any time.
 */
const windowSeconds = Number.POSITIVE_INFINITY;

export default defineConnector({
  name: "deskbridge",
  description: "The built-in support desk, or that of another deskbridge, and what happens there.",
  config,
  open: (settings, context) => {
    const { url, apiKey, refSource, webhookSecret } = settings;
    if (url === undefined || apiKey === undefined) {
      throw new AppError(
        "config_invalid",
        `connection ${context.connection}: url and apiKey are needed, because no desk runs in this process; set both`,
      );
    }
    const http = context.http({ baseUrl: url, headers: { authorization: `Bearer ${apiKey}` } });
    return {
      desk: { idempotency: { kind: "key", windowSeconds }, operations: createOperations(http, refSource) },
      ...(webhookSecret === undefined ? {} : { webhook: createWebhook(settings, [webhookSecret].flat()) }),
      sources: { changes: createChangeSource(http, refSource) },
      datasets: createDatasetSource(http, context.now),
      enrich: createEnricher(http, refSource),
      check: (signal) =>
        checkDesk({ http, connection: context.connection, receives: webhookSecret !== undefined, signal }),
    };
  },
});
