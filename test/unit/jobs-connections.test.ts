import { pino } from "pino";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import type { Config, ConnectionConfig } from "../../src/config/config.ts";
import { budgetAccount, openSetup } from "../../src/jobs/connections.ts";
import type { Budget, BudgetLimit } from "../../src/queue/budget.ts";
import type { Registry } from "../../src/registry/registry.ts";
import { defineConnector } from "../../src/sdk/connector.ts";
import type { RateLimit } from "../../src/sdk/connector.ts";

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** Connectors whose check makes one call, to an address where nobody listens. */
function callingConnector(name: string, rateLimit: RateLimit | undefined) {
  return defineConnector({
    name,
    description: "Calls.",
    config: z.strictObject({}),
    open: (_settings, context) => {
      const http = context.http({ baseUrl: "http://127.0.0.1:1" });
      const check = async () => {
        await http.request({ method: "POST", path: "/" }).catch(() => undefined);
        return [];
      };
      return { check, ...(rateLimit === undefined ? {} : { rateLimit }) };
    },
  });
}

async function open(connections: Readonly<Record<string, [connector: string, RateLimit?]>>) {
  const definitions = new Map([
    ["free", callingConnector("free", undefined)],
    ["slow", callingConnector("slow", { calls: 10, perSeconds: 60 })],
    ["shared", callingConnector("shared", { calls: 40, perSeconds: 20, account: "acme" })],
  ]);
  const registry: Registry = {
    names: async () => [...definitions.keys()],
    get: async (name) => definitions.get(name) ?? callingConnector(name, undefined),
  };
  const configs = Object.entries(connections).map(([name, [use, rateLimit]]): ConnectionConfig => ({
    name,
    use,
    settings: {},
    poll: undefined,
    rateLimit,
    concurrency: 4,
  }));
  const limits = new Map<string, BudgetLimit | undefined>();
  const taken: string[] = [];
  const budget: Budget = {
    setLimit: (account, limit) => void limits.set(account, limit),
    gate: (account) => ({
      take: async () => void taken.push(account),
      giveBack: () => undefined,
      learn: () => undefined,
    }),
    usage: async () => undefined,
    inUse: async () => [],
    close: async () => undefined,
  };
  const config = { flows: [], exports: [], connections: new Map(configs.map((each) => [each.name, each])) };
  const setup = await openSetup(config as unknown as Config, {
    registry,
    logger: pino({ level: "silent" }),
    now: Date.now,
    builtIn: undefined,
    budget,
  });
  closers.push(setup.close);
  const call = (name: string) =>
    setup.connections.get(name)?.connection.check?.(new AbortController().signal);
  return { limits, taken, call, accounts: [...setup.connections.values()].map(budgetAccount) };
}

describe("the calls of a connection", () => {
  it("are counted under its name when its connector or its configuration has a limit, and otherwise not at all", async () => {
    const { limits, taken, call, accounts } = await open({
      desk: ["slow"],
      shop: ["free"],
      lake: ["free", { calls: 5, perSeconds: 1 }],
    });
    expect(accounts).toEqual(["desk", undefined, "lake"]);
    expect(Object.fromEntries(limits)).toEqual({
      desk: { calls: 10, perSeconds: 60, ceiling: false },
      lake: { calls: 5, perSeconds: 1, ceiling: true },
    });
    for (const name of ["desk", "shop", "lake", "desk"]) await call(name);
    expect(taken).toEqual(["desk", "lake", "desk"]);
  });

  it("are counted together with those of other connections to the same account, by the slowest limit", async () => {
    const { limits, taken, call } = await open({
      fast: ["shared"],
      slow: ["shared", { calls: 60, perSeconds: 60 }],
      other: ["shared"],
    });
    expect(Object.fromEntries(limits)).toEqual({
      "shared:acme": { calls: 60, perSeconds: 60, ceiling: true },
    });
    await Promise.all([call("fast"), call("slow"), call("other")]);
    expect(taken).toEqual(["shared:acme", "shared:acme", "shared:acme"]);
  });
});
