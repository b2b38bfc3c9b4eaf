import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import connector from "../../connectors/deskbridge/index.ts";
import type { z } from "zod";
import { contact } from "../../src/desk/schema-contact.ts";
import { message } from "../../src/desk/schema-message.ts";
import { pageOf } from "../../src/desk/schema-text.ts";
import { ticket } from "../../src/desk/schema-ticket.ts";
import type { Connection, EffectCall, EffectReceipt } from "../../src/sdk/index.ts";
import type { DeskFixture, DeskProxy, TestContext } from "../../src/sdk/testing/index.ts";
import {
  createTestContext,
  deskCases,
  keyedCall,
  openDeskProxy,
  testDesk,
} from "../../src/sdk/testing/index.ts";
import type { DeskStand } from "../support/desk.ts";
import { openDeskStand } from "../support/desk.ts";

let stand: DeskStand;
let proxy: DeskProxy;

beforeAll(async () => {
  stand = await openDeskStand();
  proxy = await openDeskProxy(await stand.listen());
});

afterAll(async () => {
  await proxy.close();
  await stand.close();
});

async function open(settings: object): Promise<{ connection: Connection; context: TestContext }> {
  const context = createTestContext({ connection: "desk" });
  const config = connector.config.parse(settings);
  return { connection: await connector.open(config, context), context };
}

async function read<T extends z.ZodType>(path: string, schema: T): Promise<z.output<T> | undefined> {
  const { status, json } = await stand.send({ method: "GET", path });
  return status === 200 ? schema.parse(json) : undefined;
}

async function openFixture(): Promise<DeskFixture> {
  const { connection, context } = await open({ url: proxy.url, apiKey: stand.adminKey });
  return {
    desk: connection.desk!,
    proxy,
    ticket: async (key) => {
      const address = `/v1/tickets/by-ref/deskbridge/${encodeURIComponent(key)}`;
      const found = await read(address, ticket);
      if (found === undefined) return undefined;
      const messages = await read(`${address}/messages?limit=200`, pageOf(message));
      return {
        ...found,
        orders: found.orders.map((order) => order.external_id),
        requesterEmail: found.requester.email ?? undefined,
        messages: messages!.data.map(({ text, visibility }) => ({ text, visibility })),
      };
    },
    countTickets: async (subject) => {
      const tickets = await read("/v1/tickets?limit=200", pageOf(ticket));
      return tickets!.data.filter((one) => one.subject === subject).length;
    },
    countContacts: async (email) => {
      const contacts = await read(`/v1/contacts?email=${encodeURIComponent(email)}`, pageOf(contact));
      return contacts!.data.length;
    },
    close: async () => context.close(),
  };
}

testDesk({ name: "the deskbridge connector", open: openFixture });

describe("the deskbridge connector", () => {
  it("cannot be opened where no desk runs in the process and none is configured", async () => {
    await expect(open({})).rejects.toMatchObject({ code: "config_invalid" });
    await expect(open({ url: "http://127.0.0.1:1" })).rejects.toMatchObject({ code: "config_invalid" });
  });

  it("reports a key that works, one that lacks scopes, and one that is unknown", async () => {
    const { signal } = new AbortController();
    const key = await stand.desk.keys.create("narrow", ["tickets:write"]);
    const check = async (apiKey: string) => {
      const { connection, context } = await open({ url: proxy.url, apiKey });
      const results = await connection.check!(signal);
      context.close();
      return results;
    };
    expect(await check(stand.adminKey)).toEqual([
      { name: "API key", ok: true, detail: "accepted as key_bootstrap" },
      { name: "scopes", ok: true, detail: "every operation is allowed" },
      { name: "datasets", ok: true, detail: "every dataset can be exported" },
    ]);
    const [, scopes, datasets] = await check(key.key);
    expect([datasets?.ok, datasets?.detail]).toEqual([
      true,
      expect.stringContaining("tickets:read, contacts:read, orders:read, metrics:read"),
    ]);
    expect([scopes?.ok, scopes?.detail]).toEqual([
      false,
      expect.stringContaining("contacts:write, orders:write"),
    ]);
    const [unknown] = await check("wrong");
    expect([unknown?.ok, unknown?.detail]).toEqual([false, expect.stringContaining("401")]);
  });

  it("takes an effect whose content has changed since for done, and keeps the first content", async () => {
    const { connection, context } = await open({ url: proxy.url, apiKey: stand.adminKey });
    const call = keyedCall("one-key-two-uses");
    const upsert = connection.desk!.operations["order.upsert"]!;
    await upsert({ source: "shop", id: "mismatch", status: "paid" }, call);
    const other = await upsert({ source: "shop", id: "mismatch", status: "shipped" }, call);
    expect(other).toEqual({ result: "unchanged", kind: "order", replayed: true });
    const { json } = await stand.send({ method: "GET", path: "/v1/orders/by-ref/shop/mismatch" });
    expect(json).toMatchObject({ status: "paid" });
    context.close();
  });

  it("says nothing twice when the desk has forgotten the effect keys", async () => {
    const fixture = await openFixture();
    const { operations } = fixture.desk;
    const opening = {
      key: "late",
      requester: { email: "late@example.com" },
      subject: "Late",
      message: "It failed.",
      visibility: "public" as const,
      tags: [],
      orders: [],
      onClosed: "reopen" as const,
    };
    const everything = async (): Promise<readonly EffectReceipt[]> => [
      await operations["ticket.open"]!(opening, keyedCall("late-open")),
      await operations["ticket.open"]!({ ...opening, message: "Again." }, keyedCall("late-repeat")),
      await operations["ticket.note"]!({ key: "late", message: "A note." }, keyedCall("late-note")),
      await operations["ticket.close"]!({ key: "late", message: "Done." }, keyedCall("late-close")),
    ];
    await everything();
    stand.setNow(Date.now() + 73 * 3600 * 1000);
    await stand.desk.maintain();
    stand.setNow(Date.now());
    const again = await everything();
    expect(again.map(({ result, replayed }) => [result, replayed])).toEqual(
      again.map(() => ["unchanged", undefined]),
    );
    const held = await fixture.ticket("late");
    expect(held?.messages.map(({ text }) => text)).toEqual(["It failed.", "Again.", "A note.", "Done."]);
    expect(held?.status).toBe("closed");
    await fixture.close();
  });

  it("does not retry a contact whose identities belong to two contacts", async () => {
    const { connection, context } = await open({ url: proxy.url, apiKey: stand.adminKey });
    const upsert = connection.desk!.operations["contact.upsert"]!;
    await upsert({ externalId: "split-1", name: "One" }, keyedCall("split-a"));
    await upsert({ email: "split@example.com", name: "Two" }, keyedCall("split-b"));
    const both = upsert({ externalId: "split-1", email: "split@example.com" }, keyedCall("split-c"));
    await expect(both).rejects.toMatchObject({ code: "target_rejected", retry: "stop" });
    context.close();
  });

  it("opens a ticket for a customer whose phone number makes no sense", async () => {
    const fixture = await openFixture();
    const requester = { email: "phoneless@example.com", phone: "call me", name: "" };
    const input = {
      key: "phoneless",
      requester,
      subject: "s",
      message: "m",
      visibility: "public" as const,
      tags: [],
      orders: [],
      onClosed: "reopen" as const,
    };
    await fixture.desk.operations["ticket.open"]!(input, keyedCall("phoneless"));
    expect((await fixture.ticket("phoneless"))?.requesterEmail).toBe("phoneless@example.com");
    await fixture.close();
  });

  it("refuses keys that are directories in an address", async () => {
    const { connection, context } = await open({ url: proxy.url, apiKey: stand.adminKey });
    const note = connection.desk!.operations["ticket.note"]!;
    const call = keyedCall("dots");
    await expect(note({ key: "..", message: "m" }, call)).rejects.toThrow(/cannot be used as a key/);
    context.close();
  });
});

type AnyOperation = (input: never, call: EffectCall) => Promise<EffectReceipt>;

/** The fixture with every operation changed. */
async function spoil(change: (operation: AnyOperation) => AnyOperation): Promise<DeskFixture> {
  const fixture = await openFixture();
  const operations = Object.fromEntries(
    Object.entries(fixture.desk.operations).map(([name, operation]) => [
      name,
      change(operation as AnyOperation),
    ]),
  );
  return { ...fixture, desk: { ...fixture.desk, operations } };
}

async function failedCases(change: (operation: AnyOperation) => AnyOperation): Promise<string[]> {
  const failed: string[] = [];
  for (const one of deskCases({ name: "a bad one", open: () => spoil(change) })) {
    await Promise.resolve(one.run()).catch(() => failed.push(one.name));
  }
  return failed;
}

describe("the desk suite", () => {
  it("finds out a connector that makes up its own keys", async () => {
    const failed = await failedCases(
      (operation) => (input, call) => operation(input, { ...call, effectKey: randomUUID() }),
    );
    expect(failed).toContain("opens one ticket when the same effect is sent twice");
    expect(failed).toContain("acts once when the answer is lost and the effect is sent again");
    expect(failed).not.toContain("adds and removes tags");
  });

  it("finds out a connector that repeats writes by itself", async () => {
    const failed = await failedCases(
      (operation) => (input, call) => operation(input, call).catch(() => operation(input, call)),
    );
    expect(failed).toContain("takes a 500 for target_unavailable, and the next try works");
    expect(failed).not.toContain("opens one ticket when the same effect is sent twice");
  });

  it("asserts that what a connector says it lacks is really not there", async () => {
    const suite = { name: "one that hides", open: openFixture, without: { "ticket.tag": "it says so" } };
    const hidden = deskCases(suite).filter(({ name }) => name.includes("not offered: ticket.tag"));
    expect(hidden).toHaveLength(1);
    await expect(Promise.resolve(hidden[0]!.run())).rejects.toThrow(/to not have property/);
  });
});
