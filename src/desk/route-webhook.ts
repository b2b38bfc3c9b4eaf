import { randomBytes } from "node:crypto";
import { AppError } from "../errors.ts";
import type { StoreInput } from "./input.ts";
import { parseObjectId } from "./object-id.ts";
import { formatPage, parseCursor } from "./page.ts";
import type { Route, WriteContext } from "./route.ts";
import { readRoute, writeRoute } from "./route.ts";
import { pageOf } from "./schema-text.ts";
import * as schema from "./schema-webhook.ts";
import { deliveryList, webhookList } from "./store/list-queries.ts";
import type { DeskStore } from "./store/store.ts";

type Params = Readonly<Record<string, string>>;

function addressedWebhook({ id = "" }: Params): StoreInput & { readonly webhook: number } {
  return { webhook: parseObjectId("webhook", id) };
}

function newSecret(): string {
  return `whsec_${randomBytes(32).toString("base64")}`;
}

function checkUrl(url: string | undefined, { webhookAddresses }: WriteContext): void {
  if (url !== undefined) webhookAddresses.check(new URL(url));
}

async function known(store: DeskStore, params: Params): Promise<number> {
  const { webhook } = addressedWebhook(params);
  if ((await store.find("webhookById", [webhook])) !== undefined) return webhook;
  throw new AppError("not_found", "there is no webhook of this id");
}

const scope = "webhooks:manage";
const collection = "/v1/webhooks";
const one = "/v1/webhooks/{id}";

const webhookRows: readonly Route[] = [
  writeRoute({
    method: "POST",
    path: collection,
    scope,
    summary: "Create a webhook; the answer is the only one with its secret",
    body: schema.newWebhook,
    answers: { 201: schema.webhookWithSecret },
    operation: "create_webhook",
    input: ({ body }, context) => {
      checkUrl(body.url, context);
      return { ...body, secret: newSecret() };
    },
  }),
  readRoute({
    method: "GET",
    path: collection,
    scope,
    summary: "List webhooks, newest first",
    query: schema.webhookQuery,
    answers: { 200: pageOf(schema.webhook) },
    read: async ({ query: { cursor, limit } }, store) => {
      const page = await store.list(webhookList({ after: parseCursor(cursor, "webhooks"), limit }));
      return { body: formatPage(page, "webhooks") };
    },
  }),
  readRoute({
    method: "GET",
    path: one,
    scope,
    summary: "Get a webhook",
    answers: { 200: schema.webhook },
    read: async ({ params }, store) => {
      const found = await store.find("webhookById", [addressedWebhook(params).webhook]);
      if (found === undefined) throw new AppError("not_found", "there is no webhook of this id");
      return found;
    },
  }),
  writeRoute({
    method: "PATCH",
    path: one,
    scope,
    summary: "Change a webhook, switch it off and on",
    body: schema.webhookChange,
    answers: { 200: schema.webhook },
    operation: "patch_webhook",
    versioned: true,
    input: ({ params, body }, context) => {
      checkUrl(body.url, context);
      return { ...body, ...addressedWebhook(params) };
    },
  }),
  writeRoute({
    method: "DELETE",
    path: one,
    scope,
    summary: "Delete a webhook with its log; answers what it was",
    answers: { 200: schema.webhook },
    operation: "delete_webhook",
    versioned: true,
    input: ({ params }) => addressedWebhook(params),
  }),
  writeRoute({
    method: "POST",
    path: `${one}/rotate-secret`,
    scope,
    summary: "Give a webhook a new secret; for a time both sign",
    body: schema.secretRotation,
    answers: { 200: schema.webhookWithSecret },
    operation: "rotate_webhook_secret",
    versioned: true,
    input: ({ params, body }) => ({ ...body, ...addressedWebhook(params), secret: newSecret() }),
  }),
];

const sendingRows: readonly Route[] = [
  writeRoute({
    method: "POST",
    path: `${one}/test`,
    scope,
    summary: "Send a test, also to a webhook that is switched off",
    answers: { 202: schema.delivery },
    operation: "test_webhook",
    input: ({ params }, { now }) => ({ ...addressedWebhook(params), now: new Date(now()) }),
  }),
  writeRoute({
    method: "POST",
    path: `${one}/replay`,
    scope,
    summary: "Send the changes of a range of time again",
    body: schema.replayRange,
    answers: { 202: schema.replayed },
    operation: "replay_webhook",
    input: ({ params, body: { from, until } }, { now }) => ({
      ...addressedWebhook(params),
      from,
      until: until ?? new Date(now()),
      now: new Date(now()),
      most: schema.mostReplayed,
    }),
  }),
  readRoute({
    method: "GET",
    path: `${one}/deliveries`,
    scope,
    summary: "List a webhook's deliveries, newest first",
    query: schema.deliveryQuery,
    answers: { 200: pageOf(schema.delivery) },
    read: async ({ params, query: { state, cursor, limit } }, store) => {
      const webhook = await known(store, params);
      const after = parseCursor(cursor, "deliveries");
      return {
        body: formatPage(await store.list(deliveryList({ webhook, state }, { after, limit })), "deliveries"),
      };
    },
  }),
  readRoute({
    method: "GET",
    path: `${one}/deliveries/{deliveryId}`,
    scope,
    summary: "Get a delivery",
    answers: { 200: schema.delivery },
    read: async ({ params }, store) => {
      const { webhook } = addressedWebhook(params);
      const found = await store.find("webhookDelivery", [
        parseObjectId("delivery", params.deliveryId ?? ""),
        webhook,
      ]);
      if (found === undefined) throw new AppError("not_found", "there is no delivery of this id");
      return { body: found.body };
    },
  }),
  writeRoute({
    method: "POST",
    path: `${one}/deliveries/{deliveryId}/retry`,
    scope,
    summary: "Send a delivery again now, whatever became of it",
    answers: { 202: schema.delivery },
    operation: "retry_webhook_delivery",
    input: ({ params }, { now }) => ({
      ...addressedWebhook(params),
      delivery: parseObjectId("delivery", params.deliveryId ?? ""),
      now: new Date(now()),
    }),
  }),
];

export const webhookRoutes: readonly Route[] = [...webhookRows, ...sendingRows];
