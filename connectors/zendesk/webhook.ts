import { AppError, createHmacVerifier, parseJsonBody } from "deskbridge/sdk";
import type { EventInput, HmacScheme, Webhook } from "deskbridge/sdk";
import { z } from "zod";
import { remoteId, toCanonicalStatus } from "./ticket.ts";
import { changeEvents, ticketEvent, ticketFacts, toldTicket } from "./ticket-event.ts";
import type { ToldTicket } from "./ticket-event.ts";

/** How the vendor signs: base64 HMAC-SHA256 of the time as it was sent and the raw body, without anything between. */
export const signatureScheme: HmacScheme = {
  header: "x-zendesk-webhook-signature",
  algorithm: "sha256",
  encoding: "base64",
  signedContent: "{timestamp}{body}",
  timestampHeader: "x-zendesk-webhook-signature-timestamp",
};

const prefix = "zen:event-type:ticket.";

const envelope = z.object({
  type: z.string().startsWith(prefix),
  time: z.iso.datetime({ offset: true }),
  detail: toldTicket,
  event: z.record(z.string(), z.unknown()).default({}),
});
type Envelope = z.output<typeof envelope>;

const comment = z.object({
  id: remoteId,
  body: z.string().nullish(),
  is_public: z.boolean().nullish(),
  author: z.object({ is_staff: z.boolean().nullish() }).nullish(),
});

const statusChange = z.object({ current: z.string(), previous: z.string().nullish() });

/** Types that say that the ticket is gone, which no event of ours says. */
const departures: ReadonlySet<string> = new Set(["soft_deleted", "permanently_deleted", "marked_as_spam"]);

interface WebhookOptions {
  readonly secrets: readonly string[];
  readonly toleranceSeconds: number;
  /** Address of the account, for links to its tickets. */
  readonly address: string;
}

/** Receives the vendor's ticket event webhooks (`zen:event-type:ticket.*`). Other types are acknowledged and become nothing. */
export function createWebhook({ secrets, toleranceSeconds, address }: WebhookOptions): Webhook {
  return {
    verify: createHmacVerifier({ ...signatureScheme, toleranceSeconds }, secrets),
    parse: ({ body }) => {
      const value = parseJsonBody(body);
      const type = z.object({ type: z.string() }).safeParse(value).data?.type;
      if (type?.startsWith(prefix) !== true) return [];
      const parsed = envelope.safeParse(value);
      if (!parsed.success) throw malformed(type, parsed.error);
      return eventsOf(parsed.data, address).map((event) => ({ ...event, raw: value }));
    },
  };
}

function malformed(type: string, { issues }: z.ZodError): AppError {
  const [issue] = issues;
  const where = issue?.path.join(".") ?? "body";
  return new AppError("webhook_malformed", `${type}: ${where} is not what the vendor documents`);
}

function eventsOf(told: Envelope, address: string): readonly EventInput[] {
  const { detail } = told;
  const what = told.type.slice(prefix.length);
  if (departures.has(what)) return [];
  if (what === "created") return [ticketEvent(detail, "created", detail.created_at, address)];
  const changes = changeEvents(detail, address);
  if (what === "comment_added") return [messageEvent(told, address), ...changes];
  return what === "status_changed" ? [...turnEvents(told, address), ...changes] : changes;
}

function messageEvent({ type, time, detail, event }: Envelope, address: string): EventInput {
  const parsed = comment.safeParse(event["comment"]);
  if (!parsed.success) throw malformed(type, parsed.error);
  const { id, body, is_public: isPublic, author } = parsed.data;
  const isStaff = author?.is_staff === true;
  const message = {
    id,
    direction: isStaff ? ("outbound" as const) : ("inbound" as const),
    visibility: isPublic === false ? ("internal" as const) : ("public" as const),
    author: isStaff ? ("agent" as const) : ("contact" as const),
    ...(typeof body === "string" ? { text: body } : {}),
  };
  return {
    id: `message/${id}`,
    type: "message.created",
    subject: `ticket/${detail.id}`,
    time: new Date(time).toISOString(),
    data: { message, ...ticketFacts(detail, address) },
  };
}

// From solved to closed is a turn that the vendor makes by itself, days later: the ticket was closed already.
function turnEvents({ type, detail, event }: Envelope, address: string): readonly EventInput[] {
  const parsed = statusChange.safeParse(event);
  if (!parsed.success) throw malformed(type, parsed.error);
  const [was, is] = [parsed.data.previous ?? undefined, parsed.data.current].map(isDone);
  if (was === is) return [];
  const now: ToldTicket = { ...detail, status: parsed.data.current };
  return [ticketEvent(now, is === true ? "closed" : "reopened", detail.updated_at, address)];
}

function isDone(status: string | undefined): boolean {
  const canonical = toCanonicalStatus(status);
  return canonical === "solved" || canonical === "closed";
}
