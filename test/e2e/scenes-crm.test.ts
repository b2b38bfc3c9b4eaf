import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { startExample } from "../support/example-program.ts";
import { openScene } from "../support/scene.ts";
import { ledgerCounts, settledCounts } from "../support/shop-day.ts";

interface CrmContact {
  readonly id: string;
  readonly email: string;
  readonly name: string | null;
  readonly version: number;
}

interface DeskContact {
  readonly id: string;
  readonly name: string | null;
  readonly refs: readonly { readonly source: string; readonly external_id: string }[];
}

const crmKey = "a-key-of-the-crm";

/** A port that is free now: each of the two has to know where the other will be. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

async function openTheTwo() {
  const secret = `whsec_${randomBytes(32).toString("base64")}`;
  const port = await freePort();
  const example = await readFile(join(import.meta.dirname, "../../config/examples/crm-in-step.yaml"), "utf8");
  const scene = await openScene({
    config: example.replace("every: 5s", "every: 1s"),
    variables: { CRM_URL: `http://127.0.0.1:${port}`, CRM_API_KEY: crmKey, CRM_WEBHOOK_SECRET: secret },
  });
  onTestFinished(scene.close);
  const crm = await startExample("crm/crm.ts", {
    PORT: String(port),
    CRM_HOOK_URL: `${scene.process.url}/hooks/crm-changes`,
    CRM_WEBHOOK_SECRET: secret,
    CRM_API_KEY: crmKey,
  });
  onTestFinished(crm.stop);
  const askCrm = async <T>(method: string, path: string, body?: object): Promise<T> => {
    const headers = { authorization: `Bearer ${crmKey}` };
    const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
    const answer = await fetch(crm.url + path, init);
    expect([path, answer.ok]).toEqual([path, true]);
    return (await answer.json()) as T;
  };
  const agent = await scene.newKey("agents", ["contacts:read", "contacts:write"]);
  const onDesk = async (email: string): Promise<DeskContact | undefined> => {
    const path = `/v1/contacts?email=${encodeURIComponent(email)}`;
    return (await scene.ask<{ data: DeskContact[] }>("GET", path, undefined, agent.key)).data[0];
  };
  const inCrm = async (email: string): Promise<CrmContact | undefined> =>
    (await askCrm<CrmContact[]>("GET", "/contacts")).find((contact) => contact.email === email);
  return { scene, askCrm, agent, onDesk, inCrm };
}

const settled = [
  ["ada@example.com", "Ada Lovelace", 2],
  ["grace@example.com", "Grace Hopper", 2],
];

const soon = { timeout: 30_000, interval: 100 };

it("a CRM and the desk keep each other's contacts, and neither echoes what came from the other", async () => {
  const { scene, askCrm, agent, onDesk, inCrm } = await openTheTwo();

  // From the CRM to the desk.
  await askCrm("PUT", "/contacts/c-0", { email: "ada@example.com", name: "Ada" });
  await expect
    .poll(() => onDesk("ada@example.com"), soon)
    .toMatchObject({
      name: "Ada",
      refs: [{ source: "crm", external_id: "1" }],
    });

  // From the desk to the CRM, which gives the contact an id, which the desk gets to know.
  const grace = { email: "grace@example.com", name: "Grace" };
  await scene.ask("POST", "/v1/contacts", grace, agent.key);
  await expect.poll(() => inCrm("grace@example.com"), soon).toMatchObject({ name: "Grace", id: "2" });
  await expect
    .poll(async () => (await onDesk("grace@example.com"))?.refs, soon)
    .toEqual([{ source: "crm", external_id: "2" }]);

  // Changes of either, in either direction.
  const ada = await onDesk("ada@example.com");
  await scene.ask("PATCH", `/v1/contacts/${ada!.id}`, { name: "Ada Lovelace" }, agent.key);
  await expect.poll(async () => (await inCrm("ada@example.com"))?.name, soon).toBe("Ada Lovelace");
  await askCrm("PUT", "/contacts/2", { name: "Grace Hopper" });
  await expect.poll(async () => (await onDesk("grace@example.com"))?.name, soon).toBe("Grace Hopper");

  // When all is said both hold the same, and nothing goes round in circles: four
  // changes by hand, what each led to on the other side, and one to tell the other side's id.
  expect(await stateAfterNews("+15551230001", 10)).toEqual(settled);
  expect(await stateAfterNews("+15551230002", 11)).toEqual(settled);

  /** The feed is in one order: when this contact, whom the CRM cannot reach, has come, everything before it has. */
  async function stateAfterNews(phone: string, events: number) {
    await scene.ask("POST", "/v1/contacts", { phone }, agent.key);
    await expect.poll(async () => (await ledgerCounts(scene.databaseUrl)).events, soon).toBe(events);
    const { deliveries, ...counts } = await settledCounts(scene.databaseUrl, events, 30_000);
    expect([counts.events, deliveries.dead]).toEqual([events, 0]);
    const contacts = await askCrm<CrmContact[]>("GET", "/contacts");
    return contacts.map(({ email, name, version }) => [email, name, version]);
  }
});
