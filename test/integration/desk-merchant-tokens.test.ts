import { createHmac, generateKeyPairSync, randomBytes } from "node:crypto";
import { SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { contact } from "../../src/desk/schema-contact.ts";
import { me } from "../../src/desk/schema-me.ts";
import type { DeskAnswer, DeskStand } from "../support/desk.ts";
import { openDeskStand } from "../support/desk.ts";
import { idOf, sendAs } from "../support/end-user.ts";

const secret = randomBytes(32).toString("hex");
const oldSecret = randomBytes(32).toString("hex");
const { publicKey, privateKey } = generateKeyPairSync("ed25519");
const stranger = generateKeyPairSync("ed25519");
const pem = publicKey.export({ type: "spki", format: "pem" }).toString();
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

let stand: DeskStand;

beforeAll(async () => {
  stand = await openDeskStand({
    endUsers: {
      origins: [],
      merchantTokens: {
        audience: "deskbridge",
        issuer: "https://shop.example",
        maxLifetimeMs: 3_600_000,
        keys: [
          { kid: "h1", algorithm: "HS256", key: secret, source: "shop" },
          { kid: "h0", algorithm: "HS256", key: oldSecret, source: "shop" },
          { kid: "e1", algorithm: "EdDSA", key: pem, source: "app" },
        ],
      },
    },
  });
});
afterAll(() => stand.close());

interface Signing {
  readonly header?: Readonly<Record<string, unknown>>;
  readonly key?: Parameters<SignJWT["sign"]>[0];
  readonly claims?: Readonly<Record<string, unknown>>;
}

/** A good token of customer 7, but for what is said otherwise; a claim or header of undefined is left out. */
function sign({ header = {}, key = bytes(secret), claims = {} }: Signing = {}): Promise<string> {
  const seconds = Math.floor(Date.now() / 1000);
  const good = { sub: "7", aud: "deskbridge", iss: "https://shop.example", iat: seconds, exp: seconds + 600 };
  return new SignJWT({ ...good, ...claims })
    .setProtectedHeader({ alg: "HS256", kid: "h1", ...header })
    .sign(key);
}

const ask = async (token: string | Promise<string>): Promise<DeskAnswer> =>
  sendAs(stand, await token)("GET", "/v1/me");

/** A token put together by hand, as no library would. */
function forge(header: object, claims: object, signature: (input: string) => string): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const input = `${part(header)}.${part(claims)}`;
  return `${input}.${signature(input)}`;
}

describe("a token that the merchant signs", () => {
  it("makes its contact on first sight, and is theirs from then on", async () => {
    const first = me.parse((await ask(sign({ claims: { name: "Ada" } }))).json);
    const again = me.parse((await ask(sign())).json);
    expect([first.name, again.id]).toEqual(["Ada", first.id]);
    const known = await stand.send({ method: "GET", path: "/v1/contacts/by-ref/shop/7" });
    expect(contact.parse(known.json)).toMatchObject({
      id: first.id,
      identities: [{ type: "external", source: "shop", value: "7", verified: true }],
    });
  });

  it("is taken with any of the keys, each with its own algorithm and source", async () => {
    expect((await ask(sign({ key: bytes(oldSecret), header: { kid: "h0" } }))).status).toBe(200);
    const other = me.parse((await ask(sign({ key: privateKey, header: { alg: "EdDSA", kid: "e1" } }))).json);
    const named = me.parse(
      (await ask(sign({ key: privateKey, header: { alg: "Ed25519", kid: "e1" } }))).json,
    );
    expect(named.id).toBe(other.id);
    const known = await stand.send({ method: "GET", path: "/v1/contacts/by-ref/app/7" });
    expect(contact.parse(known.json).id).toBe(other.id);
  });

  it("that 20 requests bring at once makes one contact", async () => {
    const token = await sign({ claims: { sub: "twenty" } });
    const ids = await Promise.all(
      Array.from({ length: 20 }, async () => me.parse((await ask(token)).json).id),
    );
    expect(new Set(ids).size).toBe(1);
  });

  const seconds = (): number => Math.floor(Date.now() / 1000);
  const refused: Readonly<Record<string, () => string | Promise<string>>> = {
    "signed with another secret": () => sign({ key: randomBytes(32) }),
    "signed with another key": () => sign({ key: stranger.privateKey, header: { alg: "EdDSA", kid: "e1" } }),
    "of no kid": () => sign({ header: { kid: undefined } }),
    "of an unknown kid": () => sign({ header: { kid: "h9" } }),
    "of another key's kid": () => sign({ header: { kid: "h0" } }),
    "of another algorithm": () => sign({ header: { alg: "HS512" }, key: randomBytes(64) }),
    "signed with the public key as a secret": () => sign({ key: bytes(pem), header: { kid: "e1" } }),
    "with critical headers that are not known": () =>
      forge(
        { alg: "HS256", kid: "h1", crit: ["x"], x: 1 },
        { sub: "7", aud: "deskbridge", iss: "https://shop.example", exp: seconds() + 60 },
        (input) => createHmac("sha256", secret).update(input).digest("base64url"),
      ),
    "without a signature": () =>
      forge({ alg: "none", kid: "h1" }, { sub: "7", aud: "deskbridge", exp: seconds() + 60 }, () => ""),
    "with its payload changed": async () => {
      const [head, , tail] = (await sign()).split(".");
      return `${head}.${Buffer.from(JSON.stringify({ sub: "8", aud: "deskbridge" })).toString("base64url")}.${tail}`;
    },
    "for another audience": () => sign({ claims: { aud: "elsewhere" } }),
    "for no audience": () => sign({ claims: { aud: undefined } }),
    "of another issuer": () => sign({ claims: { iss: "https://evil.example" } }),
    "without exp": () => sign({ claims: { exp: undefined } }),
    "that has run out": () => sign({ claims: { exp: seconds() - 11 } }),
    "that is not good yet": () => sign({ claims: { nbf: seconds() + 30 } }),
    "signed in the future": () => sign({ claims: { iat: seconds() + 30 } }),
    "that is very long": () => sign({ claims: { more: "x".repeat(8000) } }),
    "good for longer than may be": () => sign({ claims: { exp: seconds() + 7200 } }),
    "good for ever": () => sign({ claims: { exp: 1e15 } }),
    "without sub": () => sign({ claims: { sub: undefined } }),
    "with an empty sub": () => sign({ claims: { sub: "" } }),
    "with a sub that is too long": () => sign({ claims: { sub: "x".repeat(256) } }),
    "that is three dots": () => "..",
    "that is no token": () => "a.b.c",
  };
  it.each(Object.keys(refused))("%s is refused", async (name) => {
    const { status, json, text } = await ask(refused[name]!());
    expect([status, json]).toEqual([401, expect.objectContaining({ code: "unauthorized" })]);
    expect(text).not.toContain(secret);
  });

  it("is taken with a clock that is a few seconds off", async () => {
    expect((await ask(sign({ claims: { exp: seconds() - 5 } }))).status).toBe(200);
    expect((await ask(sign({ claims: { nbf: seconds() + 5 } }))).status).toBe(200);
  });

  it("joins a contact who is known by e-mail only where the merchant has verified the address", async () => {
    const known = { method: "POST", path: "/v1/contacts", body: { email: "mail@example.com" } } as const;
    const id = idOf(await stand.send(known));
    const sub = "mail-1";
    const said = { sub: "mail-0", email: "mail@example.com" };
    expect(me.parse((await ask(sign({ claims: said }))).json).id).not.toBe(id);
    const meant = { sub, email: "Mail@Example.com", email_verified: true };
    expect(me.parse((await ask(sign({ claims: meant }))).json).id).toBe(id);
    // Another customer of the same shop is another person, whatever address they have now.
    const other = me.parse((await ask(sign({ claims: { ...meant, sub: "mail-2" } }))).json);
    expect([other.id === id, other.email]).toEqual([false, null]);
    expect(me.parse((await ask(sign({ claims: { sub } }))).json).id).toBe(id);
  });

  it("signed before its contact was erased is refused; one signed later begins anew", async () => {
    const before = await sign({ claims: { sub: "gone", iat: seconds() - 5 } });
    const withoutIat = await sign({ claims: { sub: "gone", iat: undefined } });
    const { id } = me.parse((await ask(before)).json);
    await stand.send({ method: "DELETE", path: `/v1/contacts/${id}` });
    expect((await ask(before)).status).toBe(401);
    expect((await ask(withoutIat)).status).toBe(401);
    const reborn = me.parse((await ask(sign({ claims: { sub: "gone", iat: seconds() + 5 } }))).json);
    expect([reborn.id === id, reborn.email]).toEqual([false, null]);
  });

  it("follows its contact when that is merged", async () => {
    const { id } = me.parse((await ask(sign({ claims: { sub: "merged" } }))).json);
    const into = idOf(
      await stand.send({ method: "POST", path: "/v1/contacts", body: { email: "m@example.com" } }),
    );
    await stand.send({ method: "POST", path: `/v1/contacts/${id}/merge`, body: { into } });
    expect(me.parse((await ask(sign({ claims: { sub: "merged" } }))).json).id).toBe(into);
  });

  it("is taken by no desk that has no keys for it", async () => {
    const own = await openDeskStand();
    expect((await sendAs(own, await sign())("GET", "/v1/me")).status).toBe(401);
    await own.close();
  });
});
