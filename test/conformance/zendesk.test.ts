import connector from "../../connectors/zendesk/index.ts";
import type { Connection } from "../../src/sdk/index.ts";
import { createTestContext, testSource, testWebhook } from "../../src/sdk/testing/index.ts";
import type { WebhookSample } from "../../src/sdk/testing/index.ts";
import { openZendeskStub } from "../support/zendesk-stub.ts";
import { hookBody, hookComment, hookRequest } from "../support/zendesk-webhooks.ts";

async function open(settings: object, now: () => number = Date.now): Promise<Connection> {
  const config = connector.config.parse({ subdomain: "acme", accessToken: "good", ...settings });
  return connector.open(config, createTestContext({ now }));
}

const sample = (name: string, body: object, events: number): WebhookSample => ({
  name,
  body: Buffer.from(JSON.stringify(body)),
  events,
});

testWebhook({
  name: "zendesk",
  open: async (webhookSecret) => (await open({ webhookSecret })).webhook!,
  secrets: ["current", "previous", "wrong"],
  requiredHeaders: ["x-zendesk-webhook-signature", "x-zendesk-webhook-signature-timestamp"],
  toleranceSeconds: 300,
  samples: [
    sample("a comment of the customer's", hookBody("comment_added", hookComment()), 2),
    sample("a new ticket", hookBody("created", {}, { updated_at: "2026-11-20T08:00:00Z" }), 1),
    sample("a ticket that is solved", hookBody("status_changed", { current: "SOLVED", previous: "OPEN" }), 2),
    sample("a ticket opened again", hookBody("status_changed", { current: "OPEN", previous: "SOLVED" }), 2),
    sample(
      "a solved ticket closed by the vendor",
      hookBody("status_changed", { current: "CLOSED", previous: "SOLVED" }),
      1,
    ),
    sample("another priority", hookBody("priority_changed", { current: "HIGH", previous: null }), 1),
    sample("a ticket that is gone", hookBody("soft_deleted", {}, { status: "DELETED" }), 0),
    sample("a type that nobody needs", { ...hookBody("x"), type: "zen:event-type:user.created" }, 0),
  ],
  sign: hookRequest,
});

testSource({
  name: "tickets of zendesk",
  open: async () => {
    let clock = 0;
    const now = (): number => clock;
    const stub = await openZendeskStub({ now, exportPage: 4, exportsPerMinute: 1000 });
    const connection = await open({ apiUrl: stub.url }, now);
    return {
      source: connection.sources!["tickets"]!,
      setNow: (at) => {
        clock = at;
      },
      change: (at) => void stub.agent.opens({ subject: "Help" }, at),
      close: stub.close,
    };
  },
});
