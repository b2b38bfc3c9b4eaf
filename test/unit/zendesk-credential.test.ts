import { afterEach, beforeEach, describe, expect, it } from "vitest";
import connector from "../../connectors/zendesk/index.ts";
import { opening, openZendeskBench } from "../support/zendesk-bench.ts";
import type { ZendeskBench } from "../support/zendesk-bench.ts";

const client = { accessToken: undefined, clientId: "acme-client", clientSecret: "acme-secret" };
let bench: ZendeskBench;

beforeEach(async () => {
  bench = await openZendeskBench(client);
});

afterEach(() => bench.close());

const tokenRequests = () => bench.stub.calls.filter(({ path }) => path === "/oauth/tokens");

describe("the credential of zendesk", () => {
  it("is fetched once by many calls at a time, for the scopes that are configured", async () => {
    const { run } = bench;
    const keys = Array.from({ length: 10 }, (_, index) => `k${index}`);
    await Promise.all(keys.map((key) => run("ticket.open", opening({ key }), key)));
    expect(tokenRequests().map(({ body }) => body)).toEqual([
      {
        grant_type: "client_credentials",
        client_id: "acme-client",
        client_secret: "acme-secret",
        scope: "read write",
      },
    ]);
  });

  it("is renewed before it ends", async () => {
    const { run, stub, wait } = bench;
    stub.tokenSeconds = 600;
    await run("ticket.open", opening(), "a");
    wait(539);
    await run("ticket.note", { key: opening().key, message: "m" }, "b");
    expect(tokenRequests()).toHaveLength(1);
    wait(2);
    await run("ticket.note", { key: opening().key, message: "m" }, "c");
    expect(tokenRequests()).toHaveLength(2);
  });

  it("is renewed once when it is refused, and the call is sent again", async () => {
    const { run, stub, onlyTicket } = bench;
    await run("ticket.open", opening(), "a");
    stub.credentials.clear();
    expect(await run("ticket.note", { key: opening().key, message: "m" }, "b")).toMatchObject({
      result: "appended",
    });
    expect(tokenRequests()).toHaveLength(2);
    expect(onlyTicket().comments).toHaveLength(2);
    const refused = { status: 401, body: { error: "invalid_token" } };
    stub.answerNext("GET", /tickets/, refused);
    stub.answerNext("GET", /tickets/, refused);
    const note = run("ticket.note", { key: opening().key, message: "m" }, "c");
    await expect(note).rejects.toMatchObject({ code: "target_unauthorized", retry: "reconnect" });
    expect(tokenRequests()).toHaveLength(3);
  });

  it("is wrong when the client is refused, and nothing was sent", async () => {
    const { run, stub } = bench;
    stub.clients.clear();
    const open = () => run("ticket.open", opening(), "a");
    await expect(open()).rejects.toMatchObject({ code: "target_unauthorized", details: { reached: false } });
    stub.answerNext("POST", /tokens/, { status: 400, body: { error: "invalid_scope" } });
    await expect(open()).rejects.toMatchObject({ code: "target_unauthorized" });
    stub.answerNext("POST", /tokens/, { status: 200, body: {} });
    await expect(open()).rejects.toMatchObject({ code: "target_protocol", details: { reached: false } });
    await expect(open()).rejects.not.toThrow(/acme-secret/);
    stub.clients.set("acme-client", "acme-secret");
    expect(await open()).toMatchObject({ result: "created" });
  });

  it("may be an API token, the old way", async () => {
    const { run, connect, stub } = bench;
    const old = { clientId: undefined, clientSecret: undefined, email: "bot@example.com", apiToken: "abc" };
    stub.credentials.add(`Basic ${Buffer.from("bot@example.com/token:abc").toString("base64")}`);
    const connection = await connect(old);
    expect(await run("ticket.open", opening(), "a", connection)).toMatchObject({ result: "created" });
    const results = await connection.check!(new AbortController().signal);
    expect(results.find(({ name }) => name === "API token")).toMatchObject({
      ok: true,
      detail: expect.stringContaining("2027-04-30") as string,
    });
    bench.wait(200 * 24 * 3600);
    const later = await connection.check!(new AbortController().signal);
    expect(later.find(({ name }) => name === "API token")?.ok).toBe(false);
  });

  it("is exactly one", () => {
    const complaints = (given: object): readonly string[] =>
      connector.config
        .safeParse({ subdomain: "acme", ...given })
        .error?.issues.map(({ message }) => message) ?? [];
    expect(complaints({ accessToken: "t" })).toEqual([]);
    expect(complaints({})[0]).toContain("give one of");
    expect(complaints({ accessToken: "t", clientId: "c", clientSecret: "s" })[0]).toContain("give one of");
    expect(complaints({ clientId: "c" })).toEqual(["clientId and clientSecret go together"]);
    expect(complaints({ email: "bot@example.com" })).toEqual(["email and apiToken go together"]);
  });
});
