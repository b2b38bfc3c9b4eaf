import { createHash } from "node:crypto";
import {
  AppError,
  createHeaderTokenVerifier,
  createHmacVerifier,
  isoTime,
  parseJsonBody,
} from "deskbridge/sdk";
import type { EventInput, Webhook, WebhookRequest } from "deskbridge/sdk";
import type { Config } from "./config.ts";
import { identity, ticketData, ticketEvent } from "./event.ts";
import type { TicketFacts } from "./event.ts";
import { instantOf } from "./object.ts";

type Json = Readonly<Record<string, unknown>>;

/** The triggers that become events. */
export const triggers = [
  "ticket-created",
  "ticket-updated",
  "ticket-status-updated",
  "ticket-self-unsnoozed",
  "ticket-message-created",
] as const;

type Trigger = (typeof triggers)[number];

/** What an HTTP integration sends: a form that we write, with holes that Gorgias fills. One integration a trigger, because no hole tells which it was. */
export function integrationForm(trigger: Trigger): Readonly<Record<string, string>> {
  const ticket = ["id", "external_id", "status", "priority", "subject"];
  const times = ["created_datetime", "updated_datetime", "closed_datetime"];
  const message = ["id", "body_text", "public", "from_agent", "created_datetime"];
  return {
    trigger,
    ...holes("ticket", "ticket", [...ticket, ...times]),
    ...holes("customer", "ticket.customer", ["id", "email", "name", "external_id"]),
    ...(trigger === "ticket-message-created" ? holes("message", "message", message) : {}),
  };
}

function holes(name: string, path: string, members: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(members.map((member) => [`${name}_${member}`, `{{${path}.${member}}}`]));
}

/**
 * Receives the requests of the account's HTTP integrations. They carry a secret of ours in `authorization`, which covers no body and no time; a
 * signature is checked besides where the configuration says how to find it.
 */
export function createWebhook(settings: Config, { secrets, hmac }: NonNullable<Config["webhook"]>): Webhook {
  const verifiers = [
    createHeaderTokenVerifier(
      "authorization",
      [secrets].flat().map((secret) => `Bearer ${secret}`),
    ),
    ...(hmac === undefined
      ? []
      : [createHmacVerifier({ ...hmac, algorithm: "sha256" }, [hmac.secrets].flat())]),
  ];
  return {
    verify: (request) => {
      for (const verify of verifiers) verify(request);
    },
    parse: (request) => parseRequest(settings, request),
  };
}

function parseRequest(settings: Config, request: WebhookRequest): readonly EventInput[] {
  const body = object(parseJsonBody(request.body));
  const trigger = triggers.find((name) => name === body["trigger"]);
  if (trigger === undefined) return [];
  const facts = ticketFacts(body);
  if (facts === undefined) throw new AppError("webhook_malformed", "The body has no ticket_id.");
  const { id } = facts;
  // Without a time of its own a request is known by its body: sent twice, it is the same.
  const digest = `sha256-${createHash("sha256").update(request.body).digest("hex")}`;
  const updatedAt = instantOf(facts.updatedAt);
  const version = updatedAt ?? digest;
  const time = updatedAt ?? isoTime(request.receivedAt);
  if (trigger === "ticket-message-created") return messageEvents(settings, body, facts, time);
  if (trigger === "ticket-created") {
    const createdAt = instantOf(facts.createdAt) ?? time;
    return [ticketEvent("ticket.created", settings, facts, { id: identity.created(id), time: createdAt })];
  }
  if (trigger === "ticket-updated") {
    return [ticketEvent("ticket.updated", settings, facts, { id: identity.updated(id, version), time })];
  }
  if (facts.status === "closed") {
    const closedAt = instantOf(facts.closedAt);
    const told = { id: identity.closed(id, closedAt ?? version), time: closedAt ?? time };
    return [ticketEvent("ticket.closed", settings, facts, told)];
  }
  return [ticketEvent("ticket.reopened", settings, facts, { id: identity.reopened(id, version), time })];
}

function ticketFacts(body: Json): TicketFacts | undefined {
  const id = digits(body["ticket_id"]);
  if (id === undefined) return undefined;
  const customerId = digits(body["customer_id"]);
  const text = (name: string): string | undefined => filled(body[name]);
  return {
    id,
    key: text("ticket_external_id"),
    subject: text("ticket_subject"),
    status: text("ticket_status"),
    priority: text("ticket_priority"),
    tags: [],
    createdAt: text("ticket_created_datetime"),
    updatedAt: text("ticket_updated_datetime"),
    closedAt: text("ticket_closed_datetime"),
    customer:
      customerId === undefined
        ? undefined
        : {
            id: customerId,
            email: text("customer_email"),
            name: text("customer_name"),
            externalId: text("customer_external_id"),
          },
  };
}

function messageEvents(
  settings: Config,
  body: Json,
  facts: TicketFacts,
  fallback: string,
): readonly EventInput[] {
  const id = digits(body["message_id"]);
  if (id === undefined) throw new AppError("webhook_malformed", "The body has no message_id.");
  const isAgents = flag(body["message_from_agent"]);
  const isPublic = flag(body["message_public"]);
  const text = filled(body["message_body_text"]);
  const message = {
    id,
    ...(isAgents === undefined
      ? {}
      : {
          direction: isAgents ? ("outbound" as const) : ("inbound" as const),
          author: isAgents ? ("agent" as const) : ("contact" as const),
        }),
    ...(isPublic === undefined ? {} : { visibility: isPublic ? ("public" as const) : ("internal" as const) }),
    ...(text === undefined ? {} : { text }),
  };
  return [
    {
      id: identity.message(id),
      type: "message.created",
      subject: `ticket/${facts.id}`,
      time: instantOf(filled(body["message_created_datetime"])) ?? fallback,
      data: { message, ...ticketData(settings, facts) },
    },
  ];
}

function object(value: unknown): Json {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

/** A hole with nothing to fill it becomes one of these. */
const blanks: ReadonlySet<string> = new Set(["", "None", "null", "undefined"]);

function filled(value: unknown): string | undefined {
  return typeof value === "string" && !blanks.has(value.trim()) ? value : undefined;
}

function digits(value: unknown): string | undefined {
  const text = typeof value === "number" ? String(value) : filled(value);
  return text !== undefined && /^\d{1,20}$/.test(text) ? text : undefined;
}

function flag(value: unknown): boolean | undefined {
  const text = String(value).toLowerCase();
  return text === "true" ? true : text === "false" ? false : undefined;
}
