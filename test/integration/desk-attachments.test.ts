import { randomBytes } from "node:crypto";
import { readdir } from "node:fs/promises";
import { request } from "node:http";
import { Readable } from "node:stream";
import pg from "pg";
import { z } from "zod";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createDiskFiles } from "../../src/desk/attachment-disk.ts";
import { attachment, linkedAttachment } from "../../src/desk/schema-attachment.ts";
import { ownMessage } from "../../src/desk/schema-me.ts";
import { message } from "../../src/desk/schema-message.ts";
import { pageOf } from "../../src/desk/schema-text.ts";
import type { DeskAnswer, DeskRequest, DeskStand } from "../support/desk.ts";
import { openDeskStand } from "../support/desk.ts";
import type { TestEndUser } from "../support/end-user.ts";
import { idOf, newEndUser } from "../support/end-user.ts";

let stand: DeskStand;
let address: string;
let database: pg.Client;
let ada: TestEndUser;
let ben: TestEndUser;

/** One pixel. */
const png = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);

beforeAll(async () => {
  stand = await openDeskStand();
  address = await stand.listen();
  database = await stand.connect();
  ada = await newEndUser(stand, "Ada");
});
afterAll(() => stand.close());

const agent = (method: DeskRequest["method"], path: string, body?: object): Promise<DeskAnswer> =>
  stand.send({ method, path, ...(body === undefined ? {} : { body }) });

const upload = (
  body: Buffer | string,
  filename: string,
  headers: Readonly<Record<string, string>> = {},
  path = "/v1/attachments",
): Promise<DeskAnswer> =>
  stand.send({
    method: "POST",
    path: `${path}?filename=${encodeURIComponent(filename)}`,
    body,
    headers: { "content-type": "application/octet-stream", ...headers },
  });

const uploadAs = (user: TestEndUser, body: Buffer | string, filename: string): Promise<DeskAnswer> =>
  upload(body, filename, { authorization: `Bearer ${user.token}` }, "/v1/me/attachments");

/** Downloads by an address as it was given out, without a key. */
async function download(url: string): Promise<Response> {
  const { pathname, search } = new URL(url);
  return fetch(`${address}${pathname}${search}`);
}

async function linkOf(id: string): Promise<string> {
  return linkedAttachment.parse((await agent("GET", `/v1/attachments/${id}`)).json).download_url;
}

/** What there is: rows, files that are to go, files on disk. */
async function held(): Promise<{ readonly rows: number; readonly waste: number; readonly files: number }> {
  const { rows } = await database.query<{ rows: number; waste: number }>(
    "select (select count(*)::int from attachment) as rows, (select count(*)::int from attachment_waste) as waste",
  );
  const found = await readdir(stand.folder, { recursive: true, withFileTypes: true });
  return { ...rows[0]!, files: found.filter((entry) => entry.isFile()).length };
}

describe("an attachment", () => {
  it("is taken in, attached to a message, and handed out by a signed address", async () => {
    const made = await upload(png, "the parcel.png", { "content-type": "text/html" });
    const taken = attachment.parse(made.json);
    expect([made.status, taken]).toEqual([
      201,
      expect.objectContaining({ filename: "the parcel.png", content_type: "image/png", size: png.length }),
    ]);
    const body = { subject: "s", requester_id: ada.id, message: { text: "See", attachments: [taken.id] } };
    const ticket = idOf(await agent("POST", "/v1/tickets", body));
    const said = pageOf(message).parse((await agent("GET", `/v1/tickets/${ticket}/messages`)).json).data[0]!;
    expect(said.attachments).toEqual([
      { id: taken.id, filename: "the parcel.png", content_type: "image/png", size: png.length },
    ]);
    const linked = linkedAttachment.parse((await agent("GET", `/v1/attachments/${taken.id}`)).json);
    expect(linked.message_id).toBe(said.id);
    const got = await download(linked.download_url);
    expect(Buffer.from(await got.arrayBuffer()).equals(png)).toBe(true);
    expect(Object.fromEntries(got.headers)).toMatchObject({
      "content-type": "image/png",
      "content-disposition": `attachment; filename="the parcel.png"; filename*=UTF-8''the%20parcel.png`,
      "x-content-type-options": "nosniff",
      "content-security-policy": "sandbox; default-src 'none'",
      "cache-control": "private, no-store",
    });
  });

  it("is handed out by no address but a good one, for its time", async () => {
    const [one, two] = [idOf(await upload(png, "a.png")), idOf(await upload(png, "b.png"))];
    const url = await linkOf(one);
    expect((await download(url)).status).toBe(200);
    for (const bad of [
      url.replace(one, two),
      url.replace(/expires=(\d+)/, (_all, at: string) => `expires=${Number(at) + 1}`),
      url.replace(/signature=./, "signature=_"),
      url.replace(/key=\d+/, "key=999"),
    ]) {
      expect((await download(bad)).status).toBe(403);
    }
    expect((await download(url.replace(/signature=[^&]*/, ""))).status).toBe(400);
    expect((await fetch(`${address}/v1/attachments/${one}/content`)).status).toBe(400);
    stand.setNow(Date.now() + 601_000);
    expect((await download(url)).status).toBe(403);
    expect((await download(await linkOf(one))).status).toBe(200);
    stand.setNow(Date.now());
  });

  it("is taken for what is in it, not for what it is called, and never for a page", async () => {
    const typeOf = async (body: Buffer | string, said: string): Promise<string | number> => {
      const answer = await upload(body, "x.html", { "content-type": said });
      return answer.status === 201 ? attachment.parse(answer.json).content_type : answer.status;
    };
    expect(await typeOf("<html><script>alert(1)</script>", "text/html")).toBe("text/plain");
    expect(await typeOf("<svg onload=alert(1)>", "image/svg+xml")).toBe("text/plain");
    expect(
      await typeOf('<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "image/svg+xml"),
    ).toBe(415);
    expect(await typeOf("a,b\n1,2\n", "text/csv; charset=utf-8")).toBe("text/csv");
    expect(await typeOf("%PDF-1.7\n", "image/png")).toBe("application/pdf");
    expect(await typeOf(Buffer.concat([Buffer.from("MZ"), Buffer.alloc(200)]), "image/png")).toBe(415);
    expect(await typeOf(Buffer.from("7f454c4602010100", "hex"), "text/plain")).toBe(415);
    expect(await typeOf(randomBytes(500), "image/png")).toBe(415);
    expect(await typeOf('{"a":1}', "application/json")).toBe("application/json");
  });

  it("is called by the last part of its name", async () => {
    const nameOf = async (name: string): Promise<unknown> => {
      const { status, json } = await upload("x", name);
      return status === 201 ? attachment.parse(json).filename : status;
    };
    expect(await nameOf("../../etc/passwd")).toBe("passwd");
    expect(await nameOf("C:\\temp\\Ünïcode\r\n.txt")).toBe("Ünïcode__.txt");
    expect(await nameOf('a"; filename="b.html')).toBe("a_; filename=_b.html");
    for (const bad of ["", "..", "/", "x".repeat(256)]) expect(await nameOf(bad)).toBe(400);
    const id = idOf(await upload("x", `"%'(é).txt`));
    const got = await download(await linkOf(id));
    expect(got.headers.get("content-disposition")).toBe(
      `attachment; filename="__'(_).txt"; filename*=UTF-8''_%25%27%28%C3%A9%29.txt`,
    );
  });

  it("belongs to one message, and is there or is not", async () => {
    const id = idOf(await upload("x", "a.txt"));
    const body = { subject: "s", requester_id: ada.id, message: { text: "1", attachments: [id] } };
    const ticket = idOf(await agent("POST", "/v1/tickets", body));
    for (const attachments of [[id], ["att_999999"]]) {
      const refused = await agent("POST", `/v1/tickets/${ticket}/messages`, { text: "2", attachments });
      expect(refused.status).toBe(400);
    }
    const listed = pageOf(message).parse((await agent("GET", `/v1/tickets/${ticket}/messages`)).json);
    expect(listed.data).toHaveLength(1);
    expect((await agent("GET", "/v1/attachments/att_999999")).status).toBe(404);
  });

  it("is taken in once for one idempotency key and one content", async () => {
    const headers = { "idempotency-key": "file-1" };
    const first = await upload("same", "a.txt", headers);
    const before = await held();
    const again = await upload("same", "a.txt", headers);
    expect([again.text, again.headers["idempotency-replayed"]]).toEqual([first.text, "true"]);
    expect((await upload("other", "a.txt", headers)).status).toBe(422);
    expect(await held()).toEqual(before);
  });
});

/** Sends the beginning of a file of that length, and hands out the connection. */
function beginUpload(length: number, sent: Buffer): ReturnType<typeof request> {
  const outgoing = request(`${address}/v1/attachments?filename=big.txt`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${stand.adminKey}`,
      "content-type": "text/plain",
      "content-length": length,
    },
  });
  outgoing.on("error", () => undefined);
  outgoing.write(sent);
  return outgoing;
}

describe("of what was not taken in", () => {
  it("nothing is left: too large, of no use, refused", async () => {
    const before = await held();
    expect((await upload(Buffer.alloc(1024 * 1024 + 1, "a"), "big.txt")).status).toBe(413);
    expect((await upload(Buffer.alloc(0), "empty.txt")).status).toBe(400);
    expect((await upload(randomBytes(100), "noise.bin")).status).toBe(415);
    expect((await upload("x", "a.txt", { authorization: "Bearer x" })).status).toBe(401);
    const chunked = await fetch(`${address}/v1/attachments?filename=big.txt`, {
      method: "POST",
      headers: { authorization: `Bearer ${stand.adminKey}`, "content-type": "text/plain" },
      body: Readable.toWeb(Readable.from(Array.from({ length: 40 }, () => Buffer.alloc(65_536, "a")))),
      duplex: "half",
    });
    expect(chunked.status).toBe(413);
    await chunked.body?.cancel();
    expect(await held()).toEqual(before);
  });

  it("nothing is left: the client goes away in the middle", async () => {
    const before = await held();
    const outgoing = beginUpload(900_000, Buffer.alloc(400_000, "a"));
    await expect.poll(async () => (await held()).waste, { timeout: 10_000 }).toBe(before.waste + 1);
    outgoing.destroy();
    await expect.poll(held, { timeout: 10_000 }).toEqual(before);
  });

  it("nothing is left: the disk cannot be written", async () => {
    const files = createDiskFiles("/dev/full/nowhere");
    const own = await openDeskStand({ attachments: { files } });
    const client = new pg.Client({ connectionString: own.databaseUrl });
    await client.connect();
    const path = "/v1/attachments?filename=a.txt";
    const answer = await own.send({
      method: "POST",
      path,
      body: "x",
      headers: { "content-type": "text/plain" },
    });
    expect([answer.status, answer.json]).toEqual([
      503,
      expect.objectContaining({ code: "storage_unavailable", retryable: true }),
    ]);
    const { rows } = await client.query<{ count: number }>(
      "select count(*)::int from deskbridge_desk.attachment",
    );
    expect(rows[0]!.count).toBe(0);
    await client.end();
    await own.close();
  });

  it("a crash leaves a file at most, which is removed when a day has passed, as are files that no message took", async () => {
    const loose = idOf(await upload("nobody wants me", "a.txt"));
    await database.query(
      "insert into attachment_waste (file, due_at) values ('abcd', now() + interval '1 day')",
    );
    await createDiskFiles(stand.folder).write("abcd", Readable.from([Buffer.from("half")]));
    await stand.desk.maintain();
    expect((await agent("GET", `/v1/attachments/${loose}`)).status).toBe(200);
    stand.setNow(Date.now() + 25 * 3_600_000);
    await stand.desk.maintain();
    stand.setNow(Date.now());
    expect((await agent("GET", `/v1/attachments/${loose}`)).status).toBe(404);
    const { rows, waste, files } = await held();
    expect([waste, files]).toEqual([0, rows]);
    await expect(createDiskFiles(stand.folder).read("abcd")).rejects.toMatchObject({ code: "not_found" });
  });
});

describe("an end user", () => {
  // Those of before have lost their tokens with the day that passed.
  beforeAll(async () => {
    ada = await newEndUser(stand, "Ada2");
    ben = await newEndUser(stand, "Ben");
  });

  it("sends files with messages, and gets those of their own tickets alone", async () => {
    const photo = idOf(await uploadAs(ada, png, "photo.png"));
    const opened = await ada.send("POST", "/v1/me/tickets", { message: { attachments: [photo] } });
    expect(opened.status).toBe(201);
    const ticket = idOf(opened);
    const answerFile = idOf(await upload("label", "label.txt"));
    const noteFile = idOf(await upload("secret", "secret.txt"));
    const html = `<p>Print <b>this</b></p>`;
    await agent("POST", `/v1/tickets/${ticket}/messages`, { html, attachments: [answerFile] });
    const note = { text: "note", visibility: "internal", attachments: [noteFile] };
    await agent("POST", `/v1/tickets/${ticket}/messages`, note);
    const seen = await ada.send("GET", `/v1/me/tickets/${ticket}/messages`);
    const texts = pageOf(ownMessage).parse(seen.json).data;
    expect(texts.map((one) => [one.text, one.html, one.attachments.map(({ id }) => id)])).toEqual([
      ["", null, [photo]],
      ["Print this", html, [answerFile]],
    ]);
    const linked = linkedAttachment.parse((await ada.send("GET", `/v1/me/attachments/${answerFile}`)).json);
    expect(await (await download(linked.download_url)).text()).toBe("label");
    expect((await ada.send("GET", `/v1/me/attachments/${photo}`)).status).toBe(200);
    for (const [user, id] of [
      [ada, noteFile],
      [ada, "att_999999"],
      [ben, photo],
      [ben, answerFile],
    ] as const) {
      expect((await user.send("GET", `/v1/me/attachments/${id}`)).status).toBe(404);
    }
  });

  it("cannot attach what another sent, nor what agents have", async () => {
    const ticket = idOf(await ada.send("POST", "/v1/me/tickets", { message: { text: "x" } }));
    for (const id of [
      idOf(await uploadAs(ben, png, "ben.png")),
      idOf(await upload("x", "a.txt")),
      "att_999999",
    ]) {
      const refused = await ada.send("POST", `/v1/me/tickets/${ticket}/messages`, { attachments: [id] });
      expect([refused.status, z.object({ detail: z.string() }).parse(refused.json).detail]).toEqual([
        400,
        "attachments names one that is not there, or that a message has already",
      ]);
    }
  });

  it("answers messages that they see, and no other", async () => {
    const ticket = idOf(await ada.send("POST", "/v1/me/tickets", { message: { text: "x" } }));
    const reply = async (id: string): Promise<DeskAnswer> =>
      ada.send("POST", `/v1/me/tickets/${ticket}/messages`, { text: "re", in_reply_to: id });
    const asked = idOf(await agent("POST", `/v1/tickets/${ticket}/messages`, { text: "Which size?" }));
    expect(ownMessage.parse((await reply(asked)).json).in_reply_to).toBe(asked);
    const note = { text: "note", visibility: "internal" };
    const hidden = idOf(await agent("POST", `/v1/tickets/${ticket}/messages`, note));
    const elsewhere = idOf(await ben.send("POST", "/v1/me/tickets", { message: { text: "y" } }));
    const foreign = pageOf(message).parse((await agent("GET", `/v1/tickets/${elsewhere}/messages`)).json);
    for (const id of [hidden, foreign.data[0]!.id, "msg_999999"]) expect((await reply(id)).status).toBe(400);
  });
});

describe("erasing a contact", () => {
  it("takes their files and their HTML with it, from the tables and from the disk", async () => {
    const zoe = await newEndUser(stand, "Zoe");
    const kept = idOf(await uploadAs(ada, "mine", "mine.txt"));
    await ada.send("POST", "/v1/me/tickets", { message: { text: "keep", attachments: [kept] } });
    const keyed = { authorization: `Bearer ${zoe.token}`, "idempotency-key": "zoe" };
    const agents = idOf(await upload("letter", "zoe-letter.txt", { "idempotency-key": "agents" }));
    const [sent, loose] = [
      idOf(await upload("secret of Zoe", "zoe-passport.txt", keyed, "/v1/me/attachments")),
      idOf(await uploadAs(zoe, "more of Zoe", "zoe-more.txt")),
    ];
    const html = "<p>I am <b>Zoe</b></p>";
    const ticket = idOf(await zoe.send("POST", "/v1/me/tickets", { message: { html, attachments: [sent] } }));
    await agent("POST", `/v1/tickets/${ticket}/messages`, { text: "Dear Zoe", attachments: [agents] });
    const url = await linkOf(sent);
    const before = await held();
    await agent("DELETE", `/v1/contacts/${zoe.id}`);
    for (const table of ["attachment", "idempotency", "message"]) {
      const { rows } = await database.query<{ row: string }>(`select t::text as row from ${table} t`);
      expect([table, rows.filter(({ row }) => /zoe/i.test(row))]).toEqual([table, []]);
    }
    expect((await download(url)).status).toBe(404);
    for (const id of [sent, loose]) expect((await agent("GET", `/v1/attachments/${id}`)).status).toBe(404);
    await expect
      .poll(held, { timeout: 10_000 })
      .toEqual({ rows: before.rows - 3, waste: before.waste, files: before.files - 3 });
    const said = pageOf(message).parse((await agent("GET", `/v1/tickets/${ticket}/messages`)).json).data[0];
    expect(said).toMatchObject({ text: "[erased]", html: null, attachments: [] });
    expect((await download(await linkOf(kept))).status).toBe(200);
  });
});
