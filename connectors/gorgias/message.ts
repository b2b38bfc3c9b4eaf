import { AppError } from "deskbridge/sdk";
import type { RemoteMessage } from "deskbridge/sdk";
import type { Config } from "./config.ts";

/** The customer of a ticket, as far as a message needs to know them. */
export interface Recipient {
  readonly id?: number;
  readonly email?: string | undefined;
  readonly name?: string | undefined;
}

export type NewMessage = Omit<RemoteMessage, "reopens">;

type Json = Readonly<Record<string, unknown>>;

/**
 * The body of a new message. The marker is its external id. A reply carries no `sent_datetime`: that is what makes Gorgias mail it. Without an
 * address to send it from or to, it is `operation_invalid`.
 */
export function messageBody(settings: Config, message: NewMessage, customer: Recipient): Json {
  const { text, marker, visibility, direction } = message;
  const common = { via: "api", body_text: text, external_id: marker };
  const agent = { email: agentOf(settings) };
  if (visibility === "internal") {
    return { ...common, channel: "internal-note", from_agent: true, public: false, sender: agent };
  }
  if (direction === "inbound") {
    return { ...common, channel: "api", from_agent: false, public: true, sender: customer };
  }
  const { email } = customer;
  const from = settings.replyFrom;
  if (from === undefined || email === undefined) {
    const lacking =
      from === undefined ? "the connection has no replyFrom" : "the ticket's customer has no e-mail address";
    throw new AppError("operation_invalid", `the reply cannot be mailed: ${lacking}`);
  }
  return {
    ...common,
    channel: "email",
    from_agent: true,
    public: true,
    body_html: asHtml(text),
    source: { type: "email", from: { address: from }, to: [{ address: email }] },
    sender: agent,
    receiver: customer,
  };
}

/** The user who writes; the configuration makes sure that there is one. */
function agentOf({ agent, auth }: Config): string {
  return agent ?? (auth.method === "key" ? auth.email : "");
}

const entities: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

function asHtml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => entities[character] ?? "").replace(/\r?\n/g, "<br>");
}
