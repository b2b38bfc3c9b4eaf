import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { temporaryDataDir } from "../support/data-dir.ts";
import { openScene } from "../support/scene.ts";
import { settledCounts } from "../support/shop-day.ts";

const notYet = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/** Notes every answer of an agent on its ticket. The desk is asked each second, and tells by webhook besides. */
const config = (secretFile: string): string => `
connections:
  desk:
    use: deskbridge
    webhookSecret: "\${file:${secretFile}}"
    poll: { every: 1s, skipHistory: true }
flows:
  answered:
    on: { connection: desk, events: [message.created] }
    when: event.data.message.author == "agent" && event.data.message.visibility == "public"
    at: desk
    do:
      - ticket.note: { key: "{{ event.data.ticket.key }}", message: "Answered: {{ event.data.message.text }}" }
`;

interface Message {
  readonly text: string;
  readonly visibility: string;
}

it("an agent's answer reaches a flow once, whether the webhook or the feed tells of it first, and also while hooks are refused", async () => {
  const folder = await temporaryDataDir();
  onTestFinished(folder.remove);
  const secretFile = join(folder.path, "secret");
  await writeFile(secretFile, notYet);
  const scene = await openScene({
    config: config(secretFile),
    variables: { DESKBRIDGE_WEBHOOK_ALLOW_HOSTS: "127.0.0.1" },
  });
  onTestFinished(scene.close);
  const agent = await scene.newKey("agent", ["tickets:read", "tickets:write"]);
  const ticket = "/v1/tickets/by-ref/deskbridge/order%3A1001";
  await scene.ask("PUT", ticket, { subject: "Late", requester: { email: "ada@example.com" } });
  const answer = (text: string) => scene.ask("POST", `${ticket}/messages`, { text }, agent.key);
  const notes = async (): Promise<readonly string[]> => {
    const { data } = await scene.ask<{ data: readonly Message[] }>("GET", `${ticket}/messages`);
    return data.filter(({ visibility }) => visibility === "internal").map(({ text }) => text);
  };
  const soon = { timeout: 30_000, interval: 100 };

  const hook = await scene.ask<{ secret: string }>("POST", "/v1/webhooks", {
    url: `${scene.process.url}/hooks/desk`,
    events: ["ticket.*", "message.created", "contact.*"],
  });
  // Its secret is not ours yet: the hook is refused, and the feed brings what it would have.
  await answer("one");
  await expect.poll(notes, soon).toEqual(["Answered: one"]);

  await writeFile(secretFile, hook.secret);
  scene.process.kill("SIGHUP");
  await scene.process.printed("configuration loaded again");
  for (const text of ["two", "three", "four"]) await answer(text);
  const all = ["one", "two", "three", "four"].map((text) => `Answered: ${text}`);
  await expect.poll(notes, soon).toEqual(all);

  // What the other of the two tells of too is known already.
  const duplicates = async (): Promise<number> => {
    const metrics = await (await fetch(`${scene.process.url}/metrics`)).text();
    const lines = metrics
      .split("\n")
      .filter((line) => line.includes('type="message.created"') && line.includes("duplicate"));
    return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
  };
  await expect.poll(duplicates, soon).toBeGreaterThan(3);
  const { deliveries } = await settledCounts(scene.databaseUrl, 1, 30_000);
  expect([await notes(), deliveries.dead]).toEqual([all, 0]);
});
