import { once } from "node:events";
import type { RequestListener } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { connect, createServer as createTcpServer } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { misdelivered } from "../support/sender-faults.ts";
import { openTcpProxy } from "../support/tcp-proxy.ts";
import type { FaultPlan } from "../support/vendor-faults.ts";
import {
  createFaultSwitch,
  faultsAt,
  htmlPage,
  rateLimited,
  seededFaults,
  serverError,
  withFaults,
} from "../support/vendor-faults.ts";
import { serveHttp } from "../support/http-server.ts";

interface Told {
  readonly status: number | "broken";
  readonly text: string;
  readonly retryAfter: string | null;
}

/** A vendor that keeps what is posted to it and answers `{"kept":n}`, behind a plan of faults. */
async function openVendor(plan: FaultPlan) {
  const kept: string[] = [];
  const keep: RequestListener = (request, response) => {
    let text = "";
    request.setEncoding("utf8").on("data", (chunk: string) => void (text += chunk));
    request.on("end", () => {
      if (request.method === "POST") kept.push(text);
      response.writeHead(201, { "content-type": "application/json" });
      response.end(JSON.stringify({ kept: kept.length }));
    });
  };
  const server = await serveHttp(withFaults(keep, plan));
  onTestFinished(server.close);
  const url = `${server.url}/things`;
  const post = async (body: string): Promise<Told> => {
    try {
      const answer = await fetch(url, { method: "POST", body });
      return {
        status: answer.status,
        text: await answer.text(),
        retryAfter: answer.headers.get("retry-after"),
      };
    } catch {
      return { status: "broken", text: "", retryAfter: null };
    }
  };
  return { url, kept, post };
}

describe("a vendor's faults", () => {
  it.each([
    { name: "dropped before", fault: { kind: "drop", when: "before" }, status: "broken", acts: false },
    { name: "dropped after", fault: { kind: "drop", when: "after" }, status: "broken", acts: true },
    { name: "cut short", fault: { kind: "truncate" }, status: "broken", acts: true },
    { name: "failed before", fault: serverError("before"), status: 503, acts: false },
    { name: "failed after", fault: serverError("after", 500), status: 500, acts: true },
    { name: "rate limited", fault: rateLimited(7), status: 429, acts: false },
    { name: "answered by a page", fault: htmlPage("after"), status: 200, acts: true },
    { name: "delayed", fault: { kind: "delay", when: "after", ms: 5 }, status: 201, acts: true },
  ] as const)("a call is $name", async ({ fault, status, acts }) => {
    const vendor = await openVendor(faultsAt({ 2: fault }));
    expect((await vendor.post("one")).status).toBe(201);
    const told = await vendor.post("two");
    expect(told.status).toBe(status);
    expect(told.retryAfter).toBe(status === 429 ? "7" : null);
    expect(vendor.kept).toEqual(acts ? ["one", "two"] : ["one"]);
    expect((await vendor.post("three")).text).toBe(`{"kept":${acts ? 3 : 2}}`);
  });

  it("come one after the other, and what a test wants to do is awaited", async () => {
    const steps: string[] = [];
    const vendor = await openVendor(
      faultsAt({
        1: [
          { kind: "run", when: "before", run: async () => void steps.push("before") },
          { kind: "run", when: "after", run: () => void steps.push(`after ${vendor.kept.length}`) },
          { kind: "drop", when: "after" },
        ],
      }),
    );
    expect((await vendor.post("one")).status).toBe("broken");
    expect(steps).toEqual(["before", "after 1"]);
  });

  it("can be switched on and off", async () => {
    const faults = createFaultSwitch();
    const vendor = await openVendor(faults.plan);
    faults.next(serverError("before"), rateLimited(1));
    expect([(await vendor.post("a")).status, (await vendor.post("b")).status]).toEqual([503, 429]);
    faults.always(serverError("before", 502));
    expect((await vendor.post("c")).status).toBe(502);
    expect((await fetch(vendor.url)).status).toBe(502);
    faults.always(undefined);
    expect((await vendor.post("d")).status).toBe(201);
  });

  it("by seed are the same for the same seed and spare reads", () => {
    const draw = (seed: string) => {
      const plan = seededFaults(seed, 0.3, [serverError("before"), rateLimited(1)]);
      return Array.from({ length: 200 }, (_, index) =>
        plan({ method: "POST", path: "/", number: index + 1, write: index % 4 }),
      );
    };
    expect(draw("a")).toEqual(draw("a"));
    expect(draw("a")).not.toEqual(draw("b"));
    expect(draw("a").filter((_, index) => index % 4 === 0)).toEqual(Array.from({ length: 50 }));
    const hit = draw("a").filter((fault) => fault !== undefined).length;
    expect(hit).toBeGreaterThan(25);
    expect(hit).toBeLessThan(70);
  });
});

describe("a misbehaving sender", () => {
  const deliveries = Array.from({ length: 100 }, (_, index) => index);

  it("leaves nothing out, repeats some and changes the places of others, the same way for the same seed", () => {
    const sent = misdelivered(deliveries, { duplicated: 0.2, reordered: 0.2 }, "seed");
    expect(sent).toEqual(misdelivered(deliveries, { duplicated: 0.2, reordered: 0.2 }, "seed"));
    expect(new Set(sent).size).toBe(100);
    expect(sent.length).toBeGreaterThan(105);
    const firsts = [...new Set(sent)];
    expect(firsts).not.toEqual(deliveries);
  });

  it("sends as it is told where it has no faults", () => {
    expect(misdelivered(deliveries, { duplicated: 0, reordered: 0 }, "seed")).toEqual(deliveries);
  });
});

/** A server that sends back what it gets, behind a proxy. */
async function openEcho() {
  const seen = { closed: 0 };
  const echo = createTcpServer((socket) => {
    socket.on("error", () => undefined).on("close", () => (seen.closed += 1));
    socket.pipe(socket);
  }).listen(0, "127.0.0.1");
  await once(echo, "listening");
  const proxy = await openTcpProxy(`tcp://127.0.0.1:${(echo.address() as AddressInfo).port}`);
  onTestFinished(async () => {
    await proxy.close();
    echo.close();
  });
  const dial = async (): Promise<{
    socket: Socket;
    heard: () => string;
    hears: (text: string) => Promise<void>;
  }> => {
    const { hostname, port } = new URL(proxy.url);
    const socket = connect(Number(port), hostname);
    let text = "";
    socket.setEncoding("utf8").on("data", (chunk: string) => void (text += chunk));
    await once(socket, "connect");
    const hears = async (wanted: string): Promise<void> => {
      while (!text.includes(wanted)) await once(socket, "data");
    };
    return { socket, heard: () => text, hears };
  };
  return { proxy, dial, seen };
}

describe("a black hole", () => {
  it.each([
    { ways: undefined, name: "both ways" },
    { ways: ["toServer"] as const, name: "to the server" },
    { ways: ["toClient"] as const, name: "to the client" },
  ])("$name swallows what old and new connections say, until it is healed", async ({ ways }) => {
    const { proxy, dial } = await openEcho();
    const old = await dial();
    old.socket.write("one ");
    await old.hears("one");
    proxy.blackHole(ways);
    old.socket.write("two ");
    const late = await dial();
    late.socket.write("three ");
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect([old.heard(), late.heard()]).toEqual(["one ", ""]);
    proxy.heal();
    await Promise.all([old.hears("two"), late.hears("three")]);
    for (const { socket } of [old, late]) socket.destroy();
  });

  it("keeps the death of one end from the other", async () => {
    const { proxy, dial, seen } = await openEcho();
    const one = await dial();
    one.socket.write("one ");
    await one.hears("one");
    proxy.blackHole();
    one.socket.destroy();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(seen.closed).toBe(0);
    proxy.heal();
    await expect.poll(() => seen.closed).toBe(1);
  });
});
