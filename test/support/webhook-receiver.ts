import { once } from "node:events";
import type { ServerResponse } from "node:http";
import type { StubRequest, StubServer } from "./http-server.ts";
import { openStubServer } from "./http-server.ts";
import { EventEmitter } from "node:events";

/** A request that the receiver of webhooks got, its body as JSON too. */
export interface ReceivedWebhook extends StubRequest {
  readonly id: string;
  readonly body: {
    readonly id: string;
    readonly type: string;
    readonly sequence: string | null;
    readonly object_id: string;
    readonly ticket_id: string | null;
    readonly object: Readonly<Record<string, unknown>> | null;
  };
}

/** What to answer: a status, or whatever is done with the response by hand. */
export type Answer = number | ((response: ServerResponse) => void);

export interface WebhookReceiver extends StubServer {
  readonly received: readonly ReceivedWebhook[];
  /** Says how the next requests are answered; 204 unless told. */
  readonly answerWith: (answer: (webhook: ReceivedWebhook) => Answer) => void;
  /** Resolves when so many have come in all. */
  readonly got: (count: number) => Promise<void>;
}

/** A real HTTP server that takes webhooks. */
export async function openWebhookReceiver(): Promise<WebhookReceiver> {
  const received: ReceivedWebhook[] = [];
  const arrivals = new EventEmitter();
  let answer: (webhook: ReceivedWebhook) => Answer = () => 204;
  const server = await openStubServer((request, response) => {
    const body = JSON.parse(request.text) as ReceivedWebhook["body"];
    const webhook = { ...request, id: String(request.headers["webhook-id"]), body };
    received.push(webhook);
    const reply = answer(webhook);
    if (typeof reply === "number") response.writeHead(reply).end(`answer ${reply}`);
    else reply(response);
    arrivals.emit("webhook");
    return undefined;
  });
  return {
    ...server,
    received,
    answerWith: (next) => {
      answer = next;
    },
    got: async (count) => {
      while (received.length < count) await once(arrivals, "webhook");
    },
  };
}
