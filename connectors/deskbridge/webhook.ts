import { AppError, createStandardWebhooksVerifier, parseJsonBody } from "deskbridge/sdk";
import type { Webhook } from "deskbridge/sdk";
import { z } from "zod";
import type { Config } from "./config.ts";
import { change, eventOf } from "./event.ts";

const typed = z.object({ type: z.string() });
const kind = /^(ticket|message|contact)\./;

/** Receives the webhooks of a Support API, signed by Standard Webhooks. A test, and a change that no event tells of, become nothing. */
export function createWebhook(settings: Config, secrets: readonly string[]): Webhook {
  return {
    verify: createStandardWebhooksVerifier({ secrets, toleranceSeconds: settings.webhookToleranceSeconds }),
    parse: ({ body }) => {
      const value = parseJsonBody(body);
      const type = typed.safeParse(value).data?.type;
      if (type === undefined || !kind.test(type)) return [];
      const parsed = change.safeParse(value);
      if (!parsed.success) {
        const where = parsed.error.issues[0]?.path.join(".") ?? "body";
        throw new AppError("webhook_malformed", `${type}: ${where} is not as a Support API sends it`);
      }
      const event = eventOf(parsed.data, settings.refSource);
      return event === undefined ? [] : [event];
    },
  };
}
