import { z } from "zod";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ownEvent } from "../../src/desk/schema-me.ts";
import type { DeskAnswer, DeskRequest, DeskStand } from "../support/desk.ts";
import { openDeskStand } from "../support/desk.ts";
import type { TestEndUser } from "../support/end-user.ts";
import { idOf, newEndUser } from "../support/end-user.ts";
import type { EventStream } from "../support/event-stream.ts";
import { openEventStream } from "../support/event-stream.ts";

let stand: DeskStand;
let address: string;
let ada: TestEndUser;
let ben: TestEndUser;

beforeAll(async () => {
  stand = await openDeskStand();
  address = await stand.listen();
  ada = await newEndUser(stand, "Ada");
  ben = await newEndUser(stand, "Ben");
});
afterAll(() => stand.close());

const agent = (method: DeskRequest["method"], path: string, body?: object): Promise<DeskAnswer> =>
  stand.send({ method, path, ...(body === undefined ? {} : { body }) });

function follow({ token }: TestEndUser, headers = {}, query = ""): Promise<EventStream> {
  return openEventStream(`${address}/v1/me/stream${query}`, { authorization: `Bearer ${token}`, ...headers });
}

async function nextOf(stream: EventStream): Promise<z.output<typeof ownEvent>> {
  const event = await stream.next();
  const data = ownEvent.parse(event?.data);
  expect(event?.id).toBe(data.sequence);
  return data;
}

async function open(owner: TestEndUser, text: string): Promise<string> {
  return idOf(await owner.send("POST", "/v1/me/tickets", { message: { text } }));
}

describe("/v1/me/stream", () => {
  it("tells of public messages and of what becomes of one's own tickets, live, and of nothing else", async () => {
    const id = await open(ada, "Where is it?");
    const stream = await follow(ada);
    expect([stream.status, stream.headers.get("content-type")]).toEqual([
      200,
      "text/event-stream; charset=utf-8",
    ]);
    const foreign = await open(ben, "words of Ben");
    await agent("POST", `/v1/tickets/${foreign}/messages`, { text: "answer to Ben" });
    await agent("POST", `/v1/tickets/${id}/messages`, { text: "secret-note", visibility: "internal" });
    await agent("PATCH", `/v1/tickets/${id}`, {
      tags: ["secret-tag"],
      priority: "urgent",
      custom_fields: { a: "secret-value" },
    });
    await agent("POST", `/v1/tickets/${id}/messages`, {
      text: "On its way.",
      author: { type: "agent", name: "Grace" },
    });
    await agent("PATCH", `/v1/tickets/${id}`, { status: "solved" });
    const hidden = {
      subject: "secret",
      requester_id: ada.id,
      message: { text: "secret", visibility: "internal" },
    };
    await agent("POST", "/v1/tickets", hidden);
    await ada.send("POST", `/v1/me/tickets/${id}/messages`, { text: "Thanks" });
    const events = [await nextOf(stream), await nextOf(stream), await nextOf(stream), await nextOf(stream)];
    stream.close();
    expect(events.map(({ type }) => type)).toEqual([
      "message.created",
      "ticket.closed",
      "ticket.reopened",
      "message.created",
    ]);
    expect(events[0]!.object).toMatchObject({
      text: "On its way.",
      author: { type: "agent", name: "Grace" },
    });
    expect(events[1]!).toMatchObject({ ticket_id: id, object_id: id });
    expect(JSON.stringify(events)).not.toMatch(/secret|Ben|key_/);
  });

  it("goes on where the client was when it lost its connection", async () => {
    const id = await open(ada, "First");
    const first = await follow(ada);
    await agent("POST", `/v1/tickets/${id}/messages`, { text: "one" });
    const seen = await nextOf(first);
    first.close();
    await agent("POST", `/v1/tickets/${id}/messages`, { text: "two" });
    await open(ben, "meanwhile");
    await agent("POST", `/v1/tickets/${id}/messages`, { text: "three" });
    const second = await follow(ada, { "last-event-id": seen.sequence });
    const texts = [await nextOf(second), await nextOf(second)].map(
      ({ object }) => "text" in object && object.text,
    );
    expect(texts).toEqual(["two", "three"]);
    await agent("POST", `/v1/tickets/${id}/messages`, { text: "four" });
    expect((await nextOf(second)).object).toMatchObject({ text: "four" });
    second.close();
  });

  it("read from the beginning has one's own history alone", async () => {
    const cleo = await newEndUser(stand, "Cleo");
    const id = await open(cleo, "Mine");
    await agent("POST", `/v1/tickets/${id}/messages`, { text: "Yours" });
    const stream = await follow(cleo, {}, `?after=${"0".repeat(26)}`);
    const types = [await nextOf(stream), await nextOf(stream), await nextOf(stream)].map(
      ({ type, ticket_id }) => [type, ticket_id],
    );
    expect(types).toEqual([
      ["ticket.created", id],
      ["message.created", id],
      ["message.created", id],
    ]);
    stream.close();
  });

  it("takes the token in the address, as a browser's event source must, where no other route does", async () => {
    const stream = await openEventStream(`${address}/v1/me/stream?access_token=${ada.token}`, {});
    expect(stream.status).toBe(200);
    stream.close();
    expect((await fetch(`${address}/v1/me?access_token=${ada.token}`)).status).toBe(401);
    expect((await fetch(`${address}/v1/changes/stream?access_token=${ada.token}`)).status).toBe(401);
  });

  it("ends when its token runs out, when its contact is merged and when it is erased", async () => {
    const brief = await newEndUser(stand, "Brief");
    const { token } = z
      .object({ token: z.string() })
      .parse((await agent("POST", "/v1/client-tokens", { contact_id: brief.id, ttl_seconds: 60 })).json);
    stand.setNow(Date.now() + 59_500);
    const running = await follow({ ...brief, token });
    stand.setNow(Date.now());
    expect(await running.next()).toBeUndefined();

    const dora = await newEndUser(stand, "Dora");
    const merged = await follow(dora);
    await agent("POST", `/v1/contacts/${dora.id}/merge`, { into: brief.id });
    expect(await merged.next()).toBeUndefined();

    const erased = await follow(brief);
    await agent("DELETE", `/v1/contacts/${brief.id}`);
    expect(await erased.next()).toBeUndefined();
  });

  it("tells nothing more when its token was revoked", async () => {
    const ella = await newEndUser(stand, "Ella");
    const made = await agent("POST", "/v1/client-tokens", { contact_id: ella.id });
    const { id, token } = z.object({ id: z.string(), token: z.string() }).parse(made.json);
    const ticket = await open(ella, "Hello");
    const streams = [await follow({ ...ella, token }), await follow(ella)] as const;
    await agent("DELETE", `/v1/client-tokens/${id}`);
    await agent("POST", `/v1/tickets/${ticket}/messages`, { text: "for the other" });
    expect(await streams[0].next()).toBeUndefined();
    expect((await nextOf(streams[1])).object).toMatchObject({ text: "for the other" });
    streams[1].close();
  });

  it("tells all who follow of the same", async () => {
    const id = await open(ada, "Shared");
    const streams = await Promise.all(Array.from({ length: 20 }, () => follow(ada)));
    await agent("POST", `/v1/tickets/${id}/messages`, { text: "to all" });
    const got = await Promise.all(streams.map(nextOf));
    expect(new Set(got.map(({ object_id }) => object_id)).size).toBe(1);
    for (const stream of streams) stream.close();
  });
});
