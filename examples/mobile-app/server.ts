// The back end of an app with support inside: it knows who is signed in, and gives that person a token of the desk, and nothing else.
//   DESK_URL=http://127.0.0.1:8787 DESK_KEY=… node examples/mobile-app/server.ts
// A browser is let in where the configuration of deskbridge names the page: desk: { endUsers: { origins: [http://127.0.0.1:3000] } }, with PORT=3000 here.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { stripTypeScriptTypes } from "node:module";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { required, supportApiOfEnvironment } from "../support-api.ts";

const api = supportApiOfEnvironment();
const deskUrl = required("DESK_URL");

/** Who is signed in, by session: what your app knows already. */
const sessions: Readonly<
  Record<string, { readonly id: string; readonly email: string; readonly name: string }>
> = {
  "session-of-ada": { id: "7", email: "ada@example.com", name: "Ada Lovelace" },
  "session-of-grace": { id: "8", email: "grace@example.com", name: "Grace Hopper" },
};

const server = createServer(async (request, response) => {
  const answer = (status: number, type: string, body: string): void =>
    void response.writeHead(status, { "content-type": type, "cache-control": "no-store" }).end(body);
  try {
    const { method, url = "" } = request;
    if (method === "GET" && url === "/") answer(200, "text/html", await read("app.html"));
    else if (method === "GET" && url === "/conversation.js")
      answer(200, "text/javascript", stripTypeScriptTypes(await read("conversation.ts")));
    else if (method === "POST" && url === "/support-token") {
      const person = sessions[String(request.headers["x-session"])];
      if (person === undefined) answer(401, "application/json", '{"error":"sign in first"}');
      else answer(200, "application/json", JSON.stringify(await tokenFor(person)));
    } else answer(404, "text/plain", "nothing here");
  } catch {
    answer(503, "application/json", '{"error":"support is not to be reached"}');
  }
});
server.listen(Number(process.env["PORT"] ?? 0), "127.0.0.1", () => {
  process.stdout.write(`the app is at http://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
});

/** Makes the person a contact of the desk, when they are none yet, and a token that reaches what is theirs. */
async function tokenFor({ id, email, name }: { id: string; email: string; name: string }) {
  const { body: contact } = await api<{ readonly id: string }>({
    method: "PUT",
    path: `/v1/contacts/by-ref/app/${encodeURIComponent(id)}`,
    body: { email, name },
  });
  const { body: token } = await api<{ readonly token: string; readonly expires_at: string }>({
    method: "POST",
    path: "/v1/client-tokens",
    body: { contact_id: contact.id, ttl_seconds: 3600 },
  });
  return { desk_url: deskUrl, token: token.token, expires_at: token.expires_at };
}

function read(name: string): Promise<string> {
  return readFile(join(import.meta.dirname, name), "utf8");
}
