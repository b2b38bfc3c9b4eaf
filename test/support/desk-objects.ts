import type { DeskAnswer, DeskRequest } from "./desk.ts";

/** Objects of the Support API for one test, apart from those of any other. */
export interface DeskObjects {
  /** What they are called by. */
  readonly name: string;
  readonly ticket: string;
  readonly otherTicket: string;
  readonly contact: string;
  readonly otherContact: string;
  readonly identity: string;
  readonly order: string;
  readonly message: string;
  readonly webhook: string;
  readonly delivery: string;
  readonly clientToken: string;
  /** Of `contact`, who asked for `ticket`. */
  readonly token: string;
  readonly attachment: string;
  readonly ownAttachment: string;
}

type Send = (request: DeskRequest) => Promise<DeskAnswer>;

/** Makes one of each: refs are `shop/<name>` for the ticket and the order, `crm/<name>` for the contact. */
export async function makeDeskObjects(send: Send, name: string): Promise<DeskObjects> {
  const make = async (
    method: "POST" | "PUT",
    path: string,
    body?: unknown,
  ): Promise<Record<string, unknown>> => {
    const answer = await send({ method, path, ...(body === undefined ? {} : { body }) });
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
    return answer.json as Record<string, unknown>;
  };
  const person = { email: `${name}@example.com`, name, refs: [{ source: "crm", external_id: name }] };
  const hook = { url: `https://hooks.example.com/${name}`, events: ["contact.deleted"], enabled: false };
  // Each line at the same time, because they do not need each other.
  const [contact, other, order, webhook] = await Promise.all([
    make("POST", "/v1/contacts", person),
    make("POST", "/v1/contacts", { email: `${name}-other@example.com` }),
    make("PUT", `/v1/orders/by-ref/shop/${name}`, { name: "#1" }),
    make("POST", "/v1/webhooks", hook),
  ]);
  const about = { subject: name, requester_id: contact.id, message: { text: `Hello from ${name}` } };
  const [ticket, otherTicket, delivery, token] = await Promise.all([
    make("PUT", `/v1/tickets/by-ref/shop/${name}`, about),
    make("POST", "/v1/tickets", about),
    make("POST", `/v1/webhooks/${webhook.id as string}/test`),
    make("POST", "/v1/client-tokens", { contact_id: contact.id }),
  ]);
  const upload = async (path: string, headers: Readonly<Record<string, string>>): Promise<string> => {
    const file = { "content-type": "text/plain", ...headers };
    const answer = await send({
      method: "POST",
      path: `${path}?filename=a.txt`,
      body: `Of ${name}.`,
      headers: file,
    });
    return (answer.json as { id: string }).id;
  };
  const [message, attachment, ownAttachment] = await Promise.all([
    make("POST", `/v1/tickets/${ticket.id as string}/messages`, { text: "More." }),
    upload("/v1/attachments", {}),
    upload("/v1/me/attachments", { authorization: `Bearer ${token.token as string}` }),
    make("PUT", `/v1/tickets/${ticket.id as string}/orders/${order.id as string}`),
  ]);
  return {
    name,
    ticket: ticket.id as string,
    otherTicket: otherTicket.id as string,
    contact: contact.id as string,
    otherContact: other.id as string,
    identity: (contact.identities as readonly { id: string }[])[0]?.id ?? "",
    order: order.id as string,
    message: message.id as string,
    webhook: webhook.id as string,
    delivery: delivery.id as string,
    clientToken: token.id as string,
    token: token.token as string,
    attachment,
    ownAttachment,
  };
}

/** The address of a route with these objects in it. */
export function addressOf(path: string, objects: DeskObjects): string {
  const words = path.split("/");
  return words
    .map((word, index) => {
      if (!word.startsWith("{")) return word;
      if (/source\}$/i.test(word)) return words[index - 2] === "contacts" ? "crm" : "shop";
      if (/externalId\}$/i.test(word)) return objects.name;
      return idOf(words[index - 1] ?? "", path, objects);
    })
    .join("/");
}

function idOf(word: string, path: string, objects: DeskObjects): string {
  const ids: Readonly<Record<string, string>> = {
    tickets: objects.ticket,
    contacts: objects.contact,
    orders: objects.order,
    webhooks: objects.webhook,
    deliveries: objects.delivery,
    identities: objects.identity,
    "client-tokens": objects.clientToken,
    datasets: "tickets",
    attachments: path.startsWith("/v1/me/") ? objects.ownAttachment : objects.attachment,
  };
  const id = ids[word];
  if (id === undefined) throw new Error(`there is no object for ${word} of ${path}`);
  return id;
}
