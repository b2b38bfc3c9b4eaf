import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { routes } from "../../src/desk/plugin.ts";
import type { Scope } from "../../src/desk/scope.ts";
import { scopes } from "../../src/desk/scope.ts";
import { createLogger } from "../../src/telemetry/logger.ts";
import type { DeskRequest, DeskStand } from "../support/desk.ts";
import { openDeskStand } from "../support/desk.ts";
import type { TcpProxy } from "../support/tcp-proxy.ts";
import { openTcpProxy } from "../support/tcp-proxy.ts";

let stand: DeskStand;
const lines: string[] = [];

beforeAll(async () => {
  const logger = createLogger({ level: "debug", destination: { write: (line) => void lines.push(line) } });
  stand = await openDeskStand({ logger });
});
afterAll(() => stand.close());

/** A request to a route with ids that name nothing. */
function requestOf({ method, path }: (typeof routes)[number], key: string | undefined): DeskRequest {
  const url = path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => (/source/i.test(name) ? "s" : "999999"));
  return {
    method,
    path: url,
    body: method === "GET" ? undefined : {},
    headers: { authorization: key ?? "" },
  };
}

describe("every route", () => {
  it("is closed to a request without a key, or with one that is not a key", async () => {
    expect(routes.length).toBeGreaterThan(25);
    for (const route of routes.filter(({ caller }) => caller !== "anyone")) {
      for (const authorization of [undefined, "Bearer", "Bearer wrong", "Basic YTpi", stand.adminKey]) {
        const { status, json, headers } = await stand.send(requestOf(route, authorization));
        expect([route.path, authorization, status, json]).toEqual([
          route.path,
          authorization,
          401,
          expect.objectContaining({ code: "unauthorized" }),
        ]);
        expect(headers["www-authenticate"]).toBe("Bearer");
      }
    }
  });

  it("is open to its own scope and to admin, and to no other", async () => {
    const keys = new Map<Scope, string>();
    for (const scope of scopes) keys.set(scope, (await stand.desk.keys.create(scope, [scope])).key);
    for (const route of routes.filter(({ scope }) => scope !== null)) {
      for (const [scope, key] of keys) {
        const { status } = await stand.send(requestOf(route, `Bearer ${key}`));
        const open = scope === route.scope || scope === "admin";
        expect([route.method, route.path, scope, status === 403]).toEqual([
          route.method,
          route.path,
          scope,
          !open,
        ]);
      }
    }
  });

  it("refuses a stranger before it reads the body", async () => {
    const { status } = await stand.send({
      method: "POST",
      path: "/v1/tickets",
      body: "{ not even JSON",
      headers: { authorization: "Bearer wrong" },
    });
    expect(status).toBe(401);
  });
});

describe("API keys", () => {
  const ask = (key: string) =>
    stand.send({ method: "GET", path: "/v1/key", headers: { authorization: `Bearer ${key}` } });

  it("are made once, told apart by their beginning, and kept as a hash only", async () => {
    const made = await stand.desk.keys.create("crm", ["contacts:read", "contacts:write", "contacts:read"]);
    expect(made.key).toMatch(/^dbk_[\w-]{43}$/);
    const listed = (await stand.desk.keys.list()).find(({ id }) => id === made.id);
    expect(listed).toMatchObject({
      name: "crm",
      scopes: ["contacts:read", "contacts:write"],
      lastUsedAt: null,
    });
    expect(made.key.startsWith(listed!.hint)).toBe(true);
    expect(JSON.stringify(listed)).not.toContain(made.key);
    expect((await ask(made.key)).json).toEqual({
      id: made.id,
      name: "crm",
      scopes: ["contacts:read", "contacts:write"],
    });
  });

  it("stop working when they are revoked", async () => {
    const made = await stand.desk.keys.create("short-lived", ["tickets:read"]);
    expect((await ask(made.key)).status).toBe(200);
    const revoked = await stand.desk.keys.revoke(made.id);
    expect(revoked.revokedAt).not.toBeNull();
    expect((await ask(made.key)).status).toBe(401);
    expect(await stand.desk.keys.revoke(made.id)).toEqual(revoked);
    await expect(stand.desk.keys.revoke("key_999999")).rejects.toMatchObject({ code: "not_found" });
  });

  it("have their last use written down by the upkeep", async () => {
    const made = await stand.desk.keys.create("used", ["tickets:read"]);
    const at = Date.parse("2026-12-01T10:00:00Z");
    stand.setNow(at);
    await ask(made.key);
    await stand.desk.maintain();
    const listed = (await stand.desk.keys.list()).find(({ id }) => id === made.id);
    expect(listed?.lastUsedAt).toBe(new Date(at).toISOString());
  });

  it("need known scopes", async () => {
    await expect(stand.desk.keys.create("none", [])).rejects.toMatchObject({ code: "bad_request" });
    await expect(stand.desk.keys.create("odd", ["tickets:eat"])).rejects.toThrow(/no scope tickets:eat/);
  });

  it("never reach the log", () => {
    expect(lines.join("")).not.toContain(stand.adminKey);
  });
});

describe("the database away", () => {
  it("is a 503 that says when to come again, and no longer than it lasts", async () => {
    let proxy: TcpProxy | undefined;
    const own = await openDeskStand({
      route: async (url) => {
        proxy = await openTcpProxy(url);
        return proxy.url;
      },
    });
    const body = { subject: "s", requester: { email: "a@example.com" } };
    await proxy!.cut();
    const away = await own.send({ method: "POST", path: "/v1/tickets", body });
    expect([away.status, away.headers["retry-after"], away.json]).toEqual([
      503,
      "1",
      expect.objectContaining({ code: "ledger_unavailable", retryable: true }),
    ]);
    await expect(own.desk.ping()).rejects.toMatchObject({ code: "ledger_unavailable" });
    await proxy!.restore();
    expect((await own.send({ method: "POST", path: "/v1/tickets", body })).status).toBe(201);
    await own.close();
    await proxy!.close();
  });
});
