// A CRM of one's own, as small as it can be. Its people use /contacts; deskbridge calls PUT /v1/contacts/by-ref/{source}/{id}, in the form of the Support
// API, and is told of every change at CRM_HOOK_URL:
//   CRM_HOOK_URL=http://127.0.0.1:8787/hooks/crm-changes CRM_WEBHOOK_SECRET=whsec_… CRM_API_KEY=… node examples/crm/crm.ts
import { createServer } from "node:http";
import type { IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { required } from "../support-api.ts";
import type { ContactFacts, ContactName } from "./contacts.ts";
import { Contacts } from "./contacts.ts";
import { Outbox } from "./outbox.ts";

const apiKey = required("CRM_API_KEY");
const outbox = new Outbox({ url: required("CRM_HOOK_URL"), secret: required("CRM_WEBHOOK_SECRET") });
const contacts = new Contacts((contact) => outbox.add(contact));

interface Reply {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

const server = createServer(async (request, response) => {
  const { status, body, headers } = await handle(request).catch((error: unknown): Reply =>
    problem(400, String(error)),
  );
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
});
server.listen(Number(process.env["PORT"] ?? 0), "127.0.0.1", () => {
  process.stdout.write(`the CRM is at http://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
});

async function handle(request: IncomingMessage): Promise<Reply> {
  const { method, url = "", headers } = request;
  if (headers.authorization !== `Bearer ${apiKey}`) return problem(401, "send the key");
  if (method === "GET" && url === "/contacts") return { status: 200, body: contacts.list() };
  const [, ours] = /^\/contacts\/([^/]+)$/.exec(url) ?? [];
  if (method === "PUT" && ours !== undefined) return save({ id: ours }, await factsOf(request));
  const [, source, id] = /^\/v1\/contacts\/by-ref\/(crm|email)\/([^/]+)$/.exec(url) ?? [];
  if (method !== "PUT" || source === undefined || id === undefined) return problem(404, "nothing here");
  const name = decodeURIComponent(id);
  return save(source === "crm" ? { id: name } : { email: name }, await factsOf(request));
}

/** Saved twice is saved once: whatever the second call says, the contact has it already. */
function save(named: ContactName, facts: ContactFacts): Reply {
  const saved = contacts.save(named, facts);
  if (saved === undefined) return problem(422, "a contact needs an e-mail address");
  const { contact, result } = saved;
  return {
    status: result === "created" ? 201 : 200,
    body: contact,
    headers: { "deskbridge-result": result },
  };
}

function problem(status: number, detail: string): Reply {
  return { status, body: { code: "refused", detail, retryable: false } };
}

async function factsOf(request: IncomingMessage): Promise<ContactFacts> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const given = JSON.parse(Buffer.concat(chunks).toString("utf8")) as Readonly<Record<string, unknown>>;
  const facts = (["email", "name", "phone"] as const).map((fact) => [fact, given[fact]] as const);
  return Object.fromEntries(facts.filter(([, value]) => typeof value === "string"));
}
