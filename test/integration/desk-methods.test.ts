import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { routes } from "../../src/desk/plugin.ts";
import type { DeskAnswer, DeskRequest, DeskStand } from "../support/desk.ts";
import { openDeskStand } from "../support/desk.ts";
import type { DeskObjects } from "../support/desk-objects.ts";
import { addressOf, makeDeskObjects } from "../support/desk-objects.ts";

const origin = "https://shop.example";
let stand: DeskStand;
let objects: DeskObjects;

beforeAll(async () => {
  stand = await openDeskStand({ endUsers: { origins: [origin] } });
  objects = await makeDeskObjects(stand.send, "methods");
});
afterAll(() => stand.close());

type Method = DeskRequest["method"];

const paths = [...new Set(routes.map(({ path }) => path)), "/v1/openapi.json", "/docs"];
const reads = routes.filter((route) => route.method === "GET" && !("stream" in route) && !("file" in route));

function methodsOf(path: string): readonly Method[] {
  const own = routes.filter((route) => route.path === path).map(({ method }) => method);
  return own.length === 0 ? ["GET"] : own;
}

function tokenOf(path: string): Readonly<Record<string, string>> {
  return { authorization: `Bearer ${/^\/v1\/me(\/|$)/.test(path) ? objects.token : stand.adminKey}` };
}

const allowed = ({ headers }: DeskAnswer): readonly string[] => (headers["allow"] ?? "").split(", ");

describe("every address", () => {
  it.each(paths)("%s says which methods it takes, to any other and to OPTIONS", async (path) => {
    const url = addressOf(path, objects);
    const own = methodsOf(path);
    const other = (["DELETE", "PATCH", "PUT", "POST"] as const).find((method) => !own.includes(method));
    if (other === undefined) throw new Error(`${path} takes everything`);
    const refused = await stand.send({ method: other, path: url, body: "{ not JSON" });
    expect([refused.status, refused.json]).toEqual([
      405,
      expect.objectContaining({ code: "method_not_allowed" }),
    ]);
    expect(allowed(refused)).toEqual(expect.arrayContaining([...own, "OPTIONS"]));
    expect(allowed(refused)).not.toContain(other);
    expect(allowed(refused).includes("HEAD")).toBe(allowed(refused).includes("GET"));
    const options = await stand.send({ method: "OPTIONS", path: url });
    expect([options.status, options.headers["allow"]]).toEqual([204, refused.headers["allow"]]);
  });
});

describe("HEAD", () => {
  it.each(reads.map(({ path }) => path))("%s is answered as GET is, without the body", async (path) => {
    const request = { path: addressOf(path, objects), headers: tokenOf(path) };
    const get = await stand.send({ ...request, method: "GET" });
    const head = await stand.send({ ...request, method: "HEAD" });
    expect([get.status, head.status, head.text]).toEqual([200, 200, ""]);
    // How long a body will be that is streamed is not known.
    const changing = [
      "x-request-id",
      "ratelimit",
      "date",
      "content-length",
      "transfer-encoding",
      "deskbridge-as-of",
    ];
    const names = Object.keys(get.headers).filter((name) => !changing.includes(name));
    expect(names.length).toBeGreaterThan(3);
    for (const name of names) expect([name, head.headers[name]]).toEqual([name, get.headers[name]]);
  });

  it("of a file tells its size", async () => {
    const about = await stand.send({ method: "GET", path: `/v1/attachments/${objects.attachment}` });
    const { download_url: link, size } = about.json as { download_url: string; size: number };
    const { pathname, search } = new URL(link);
    const head = await stand.send({ method: "HEAD", path: pathname + search });
    expect([head.status, head.text, head.headers["content-length"]]).toEqual([200, "", String(size)]);
    expect(head.headers["content-disposition"]).toContain("a.txt");
    const wrong = await stand.send({ method: "HEAD", path: pathname });
    expect([wrong.status, wrong.text]).toEqual([400, ""]);
  });

  it("of a stream ends at once, and follows nothing", async () => {
    for (const path of ["/v1/changes/stream", "/v1/me/stream"]) {
      const head = await stand.send({ method: "HEAD", path, headers: tokenOf(path) });
      expect([head.status, head.text]).toEqual([200, ""]);
      expect(head.headers["content-type"]).toBe("text/event-stream; charset=utf-8");
    }
  });

  it("is refused as GET is", async () => {
    const stranger = { authorization: "Bearer wrong" };
    for (const path of ["/v1/tickets", "/v1/changes/stream", "/v1/datasets/tickets", "/v1/me/tickets"]) {
      expect((await stand.send({ method: "HEAD", path, headers: stranger })).status).toBe(401);
    }
    expect((await stand.send({ method: "HEAD", path: "/v1/tickets/tkt_999999" })).status).toBe(404);
    expect((await stand.send({ method: "HEAD", path: "/v1/nothing" })).status).toBe(404);
  });

  it("brings 304 for the version that is known", async () => {
    const path = `/v1/tickets/${objects.ticket}`;
    const { headers } = await stand.send({ method: "HEAD", path });
    const again = await stand.send({
      method: "HEAD",
      path,
      headers: { "if-none-match": headers["etag"] ?? "" },
    });
    expect(again.status).toBe(304);
  });
});

describe("a page of another origin", () => {
  const preflight = (from: string, path: string) =>
    stand.send({
      method: "OPTIONS",
      path,
      headers: { origin: from, "access-control-request-method": "POST", authorization: "" },
    });

  it("may call the routes of end users where it is one of the origins, and nothing else", async () => {
    const good = await preflight(origin, "/v1/me/tickets");
    expect([good.status, good.headers["access-control-allow-origin"]]).toEqual([204, origin]);
    expect(good.headers["access-control-allow-methods"]).toBe("GET, POST");
    for (const [from, path] of [
      ["https://evil.example", "/v1/me/tickets"],
      ["null", "/v1/me/tickets"],
      [origin, "/v1/tickets"],
      [origin, "/v1/client-tokens"],
    ] as const) {
      const answer = await preflight(from, path);
      expect([path, answer.status, answer.headers["access-control-allow-origin"]]).toEqual([
        path,
        204,
        undefined,
      ]);
    }
  });

  it("is told the same without a preflight, and without an origin", async () => {
    const headers = { ...tokenOf("/v1/me"), origin };
    const good = await stand.send({ method: "GET", path: "/v1/me", headers });
    expect(good.headers["access-control-allow-origin"]).toBe(origin);
    const refused = await stand.send({ method: "PUT", path: "/v1/me/tickets", headers });
    expect(refused.status).toBe(405);
    const bare = await stand.send({
      method: "OPTIONS",
      path: "/v1/me",
      headers: { "access-control-request-method": "GET" },
    });
    expect([bare.status, bare.text]).toEqual([204, ""]);
  });
});
