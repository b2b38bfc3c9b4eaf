import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import type { Message, OwnEvent } from "../../examples/mobile-app/conversation.ts";
import { Conversation, Refusal } from "../../examples/mobile-app/conversation.ts";
import { startExample } from "../support/example-program.ts";
import type { Scene } from "../support/scene.ts";
import { openScene } from "../support/scene.ts";
import { openTcpProxy } from "../support/tcp-proxy.ts";

let scene: Scene;
let agentKey: string;

beforeAll(async () => {
  scene = await openScene();
  agentKey = (await scene.newKey("agents", ["tickets:read", "tickets:write"])).key;
  return () => scene.close();
});

interface AppOptions {
  readonly deskUrl?: string;
  /** What the app has before it asks for a token. */
  readonly tokens?: string[];
}

/** The app in the hands of somebody who is signed in. */
async function openApp(
  appUrl: string,
  session: string,
  { deskUrl = scene.process.url, tokens = [] }: AppOptions = {},
): Promise<Conversation> {
  return new Conversation({
    deskUrl,
    fetchToken: async () => {
      const known = tokens.shift();
      if (known !== undefined) return known;
      const answer = await fetch(`${appUrl}/support-token`, {
        method: "POST",
        headers: { "x-session": session },
      });
      expect(answer.status).toBe(200);
      return ((await answer.json()) as { token: string }).token;
    },
  });
}

async function startBackEnd(): Promise<string> {
  const { key } = await scene.newKey("app", ["admin"]);
  const backEnd = await startExample("mobile-app/server.ts", { DESK_URL: scene.process.url, DESK_KEY: key });
  onTestFinished(backEnd.stop);
  return backEnd.url;
}

/** Everything that an app hears until it is told to stop. */
async function listen(
  app: Conversation,
): Promise<{ readonly heard: OwnEvent[]; readonly stop: () => Promise<void> }> {
  const stop = new AbortController();
  const heard: OwnEvent[] = [];
  const listening = Promise.withResolvers<void>();
  const following = (async () => {
    for await (const event of app.listen(stop.signal, listening.resolve)) heard.push(event);
  })().catch((error: unknown) => {
    if (!stop.signal.aborted) throw error;
  });
  await Promise.race([listening.promise, following]);
  return {
    heard,
    stop: async () => {
      stop.abort();
      await following;
    },
  };
}

const textsOf = (events: readonly OwnEvent[]): readonly string[] =>
  events.filter(({ type }) => type === "message.created").map(({ object }) => (object as Message).text);

describe("a mobile app with support inside", () => {
  it("opens a conversation, hears the agent's answer live, and nothing of anybody else", async () => {
    const appUrl = await startBackEnd();
    const [ada, grace] = await Promise.all(
      ["session-of-ada", "session-of-grace"].map((one) => openApp(appUrl, one)),
    );
    const [adas, graces] = await Promise.all([listen(ada!), listen(grace!)]);
    onTestFinished(async () => {
      await Promise.all([adas.stop(), graces.stop()]);
    });

    const opened = await Promise.all([1, 2].map(() => ada!.open("Where is my parcel?", "attempt-1")));
    const [ticket] = opened;
    expect(new Set(opened.map(({ id }) => id)).size).toBe(1);
    const path = `/v1/tickets/${ticket!.id}`;
    await scene.ask("POST", `${path}/messages`, { text: "It left this morning." }, agentKey);
    await scene.ask(
      "POST",
      `${path}/messages`,
      { text: "She is a nuisance.", visibility: "internal" },
      agentKey,
    );
    await scene.ask("PATCH", path, { status: "solved" }, agentKey);

    await expect.poll(() => adas.heard.at(-1)?.type, { timeout: 10_000 }).toBe("ticket.closed");
    expect(adas.heard.map(({ type }) => type)).toEqual([
      "ticket.created",
      "message.created",
      "message.created",
      "ticket.closed",
    ]);
    expect(textsOf(adas.heard)).toEqual(["Where is my parcel?", "It left this morning."]);

    await ada!.say(ticket!.id, "Thank you!", "attempt-2");
    const said = (await ada!.messages(ticket!.id)).map(({ direction, text }) => [direction, text]);
    expect(said).toEqual([
      ["inbound", "Where is my parcel?"],
      ["outbound", "It left this morning."],
      ["inbound", "Thank you!"],
    ]);
    const seen = await scene.ask<{ status: string; requester: { email: string } }>("GET", path);
    expect(seen).toMatchObject({ status: "open", requester: { email: "ada@example.com" }, channel: "app" });

    await expect(grace!.messages(ticket!.id)).rejects.toMatchObject({ status: 404 });
    await expect(grace!.say(ticket!.id, "Let me in", "attempt-3")).rejects.toMatchObject({ status: 404 });
    const own = await grace!.open("Mine", "attempt-1");
    await expect.poll(() => textsOf(graces.heard), { timeout: 10_000 }).toEqual(["Mine"]);
    expect(new Set(graces.heard.map((event) => event.ticket_id))).toEqual(new Set([own.id]));
  });

  it("gets what it missed when the connection comes back, and a new token when the old one has run out", async () => {
    const appUrl = await startBackEnd();
    const proxy = await openTcpProxy(scene.process.url);
    onTestFinished(proxy.close);
    const app = await openApp(appUrl, "session-of-ada", {
      deskUrl: proxy.url,
      tokens: ["dbu_that-has-run-out"],
    });
    const { id } = await app.open("Still nothing", "attempt-7");
    const { heard, stop } = await listen(app);
    onTestFinished(stop);
    const answer = (text: string) => scene.ask("POST", `/v1/tickets/${id}/messages`, { text }, agentKey);
    await answer("Before the tunnel");
    await expect.poll(() => textsOf(heard), { timeout: 10_000 }).toEqual(["Before the tunnel"]);
    await proxy.cut();
    await answer("In the tunnel");
    await proxy.restore();
    await answer("After the tunnel");
    await expect
      .poll(() => textsOf(heard), { timeout: 20_000 })
      .toEqual(["Before the tunnel", "In the tunnel", "After the tunnel"]);
  });

  it("hands the page and its script out, and no token to whoever is not signed in", async () => {
    const appUrl = await startBackEnd();
    expect(await (await fetch(appUrl)).text()).toContain('from "/conversation.js"');
    const script = await (await fetch(`${appUrl}/conversation.js`)).text();
    expect(script).toContain("class Conversation");
    expect(script).not.toContain("interface ");
    const refused = await fetch(`${appUrl}/support-token`, {
      method: "POST",
      headers: { "x-session": "guess" },
    });
    expect(refused.status).toBe(401);
    const stranger = new Conversation({ deskUrl: scene.process.url, fetchToken: async () => "dbu_guess" });
    await expect(stranger.messages("tkt_1")).rejects.toBeInstanceOf(Refusal);
  });
});
