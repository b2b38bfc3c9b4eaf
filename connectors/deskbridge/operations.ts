import { AppError } from "deskbridge/sdk";
import type { DeskOperations, EffectCall, HttpClient, HttpRequest, OperationInput } from "deskbridge/sdk";
import { send } from "./receipt.ts";
import { filled, messageBody, orderBody, path, ticketBody, usablePhone } from "./request.ts";

/** The operations, each one HTTP call that carries the effect key as its idempotency key. */
export function createOperations(http: HttpClient, refSource: string): Omit<DeskOperations, "http.request"> {
  const ticket = (key: string): string => `/v1/tickets/by-ref${path(refSource, key)}`;
  const write =
    (kind: string) =>
    (method: HttpRequest["method"], address: string, body: unknown, { effectKey, signal }: EffectCall) =>
      send(http, kind, { method, path: address, body, headers: { "idempotency-key": effectKey }, signal });
  const toTicket = write("ticket");
  const toMessage = write("message");
  const say = (key: string, text: string, visibility: "public" | "internal", call: EffectCall) => {
    const body = messageBody({ text, direction: "outbound", visibility }, refOf(call));
    return toMessage("POST", `${ticket(key)}/messages`, body, call);
  };
  // A message is said once per ref, for ever: that outlasts the idempotency keys.
  const refOf = ({ effectKey }: EffectCall) => ({ source: refSource, external_id: effectKey });

  return {
    "ticket.open": async (input, call) =>
      toTicket("PUT", ticket(input.key), ticketBody(input, refSource, refOf(call)), call),
    "ticket.reply": async ({ key, message }, call) => say(key, message, "public", call),
    "ticket.note": async ({ key, message }, call) => say(key, message, "internal", call),
    "ticket.update": async ({ key, customFields, ...fields }, call) =>
      toTicket("PATCH", ticket(key), { ...fields, custom_fields: customFields }, call),
    "ticket.close": async ({ key, message }, call) => {
      const body = { status: "closed", message: undefined as unknown };
      if (message !== undefined) {
        const facts = { text: message, direction: "outbound", visibility: "public" } as const;
        body.message = messageBody(facts, refOf(call));
      }
      return toTicket("PATCH", ticket(key), body, call);
    },
    "ticket.tag": async ({ key, add, remove }, call) =>
      toTicket("POST", `${ticket(key)}/tags`, { add, remove }, call),
    "contact.upsert": async (input, call) => {
      const { identity, body } = contactRequest(input, refSource);
      return write("contact")("PUT", `/v1/contacts/by-ref${identity}`, body, call);
    },
    "order.upsert": async ({ source, id, ...facts }, call) =>
      write("order")("PUT", `/v1/orders/by-ref${path(source, id)}`, orderBody(facts, refSource), call),
    "order.link": async ({ key, order }, call) =>
      toTicket("PUT", `${ticket(key)}/orders/by-ref${path(order.source, order.id)}`, undefined, call),
  };
}

/** A contact is addressed by the identity that says most; the others go along. */
function contactRequest(
  { externalId, email, phone, name, customFields }: OperationInput<"contact.upsert">,
  refSource: string,
): { readonly identity: string; readonly body: unknown } {
  const facts = { name: filled(name, 200), custom_fields: customFields };
  if (externalId !== undefined) {
    return { identity: path(refSource, externalId), body: { ...facts, email, phone: usablePhone(phone) } };
  }
  if (email !== undefined) {
    return { identity: path("email", email), body: { ...facts, phone: usablePhone(phone) } };
  }
  if (phone !== undefined) return { identity: path("phone", phone), body: facts };
  throw new AppError("operation_invalid", "contact.upsert needs one of externalId, email or phone");
}
