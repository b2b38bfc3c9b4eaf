import { z } from "zod";
import { createTicketOperations, defineConnector } from "deskbridge/sdk";
import type { HttpClient, RemoteTicket, TicketActions } from "deskbridge/sdk";

const object = z.object({ id: z.string() });
const list = z.array(object);

const asTicket = ({ id }: z.output<typeof object>): RemoteTicket => ({ id, standing: "open" });

function createActions(http: HttpClient): TicketActions {
  const get = async (path: string, query: Readonly<Record<string, string>>, signal: AbortSignal) =>
    list.parse((await http.request({ method: "GET", path, query, signal })).body);
  const post = async (path: string, body: unknown, signal: AbortSignal) =>
    object.parse((await http.request({ method: "POST", path, body, signal })).body);
  return {
    find: async (key, signal) => (await get("/tickets", { key }, signal)).map(asTicket),
    read: async (id, signal) => {
      const { status } = await http.request({ method: "GET", path: `/tickets/${id}`, signal, accept: [404] });
      return status === 404 ? undefined : asTicket({ id });
    },
    create: async ({ key, subject, message, marker }, signal) =>
      post("/tickets", { key, subject, text: message, marker }, signal),
    say: async ({ id }, { text, marker }, signal) =>
      post(`/tickets/${id}/messages`, { text, marker }, signal),
    saidWith: async ({ id }, marker, signal) => get(`/tickets/${id}/messages`, { marker }, signal),
    update: async () => undefined,
    tag: async () => undefined,
  };
}

/** A desk that takes no idempotency keys, and that can be asked, for the crash matrix. */
export default defineConnector({
  name: "lookup-desk",
  description: "The desk without idempotency keys of the crash matrix.",
  config: z.strictObject({
    url: z.url().describe("Where the desk answers."),
    lagSeconds: z.number().describe("How long after a write it can be found."),
    callSeconds: z.number().describe("How long a call may take, on its side too."),
  }),
  open: ({ url, lagSeconds, callSeconds }, context) => {
    const http = context.http({ baseUrl: url, timeoutMs: callSeconds * 1000 });
    return {
      desk: {
        idempotency: { kind: "lookup", lagSeconds, callSeconds },
        operations: createTicketOperations(createActions(http)),
      },
    };
  },
});
