import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { AppError } from "../errors.ts";
import type { WebhookRequest } from "./webhook.ts";

/** Accepts a request or throws `webhook_signature` or `webhook_stale`. Compares in constant time; no message tells how close a guess was. */
export type Verifier = (request: WebhookRequest) => void;

/** How a sender signs with HMAC. Header names are in lower case. */
export interface HmacScheme {
  readonly header: string;
  readonly algorithm: "sha1" | "sha256" | "sha512";
  readonly encoding: "hex" | "base64";
  /** What stands before the signature in the header, such as `sha256=`. */
  readonly prefix?: string | undefined;
  /** What is signed: `{body}`, the raw bytes, unless told; `{timestamp}` and `{id}` stand for the headers named below. */
  readonly signedContent?: string | undefined;
  readonly timestampHeader?: string | undefined;
  readonly idHeader?: string | undefined;
  /** How far the timestamp may be from our clock; not looked at when absent. */
  readonly toleranceSeconds?: number | undefined;
  /** How the secret is written; `utf8` unless told. */
  readonly secretEncoding?: "utf8" | "base64" | "hex" | undefined;
}

/** Verifies HMAC signatures. Several secrets may be live at once, so that one can be replaced without losing a request. */
export function createHmacVerifier(scheme: HmacScheme, secrets: readonly string[]): Verifier {
  requireSecrets(secrets);
  checkTemplate(scheme);
  const keys = secrets.map((secret) => Buffer.from(secret, scheme.secretEncoding ?? "utf8"));
  return (request) => {
    const given = signatureBytes(scheme, requireHeader(request, scheme.header));
    if (!matchesAny(given, keys, (key) => digest(scheme, key, request))) throw wrongSignature(scheme.header);
    checkTime(request, scheme.timestampHeader, scheme.toleranceSeconds);
  };
}

/** The header value with which a sender of this scheme signs a request; for tests, demos and stubs. */
export function hmacSignature(
  scheme: HmacScheme,
  secret: string,
  request: Pick<WebhookRequest, "body" | "headers">,
): string {
  const key = Buffer.from(secret, scheme.secretEncoding ?? "utf8");
  return `${scheme.prefix ?? ""}${digest(scheme, key, request).toString(scheme.encoding)}`;
}

interface StandardWebhooksOptions {
  /** Written `whsec_<base64>`; the prefix may be left out. */
  readonly secrets: readonly string[];
  /** 300 unless told. */
  readonly toleranceSeconds?: number | undefined;
}

const standardScheme = {
  header: "webhook-signature",
  algorithm: "sha256",
  encoding: "base64",
  signedContent: "{id}.{timestamp}.{body}",
  timestampHeader: "webhook-timestamp",
  idHeader: "webhook-id",
} as const satisfies HmacScheme;

/** Verifies Standard Webhooks 1.0.0, symmetric signatures (`v1`). Asymmetric ones (`v1a`) beside them are passed over. */
export function createStandardWebhooksVerifier(options: StandardWebhooksOptions): Verifier {
  requireSecrets(options.secrets);
  const keys = options.secrets.map(standardKey);
  return (request) => {
    const listed = requireHeader(request, standardScheme.header)
      .split(" ")
      .filter((entry) => entry.startsWith("v1,"));
    const digests = keys.map((key) => digest(standardScheme, key, request));
    const matches = listed.map((entry) =>
      matchesAny(Buffer.from(entry.slice(3), "base64"), digests, (one) => one),
    );
    if (!matches.includes(true)) throw wrongSignature(standardScheme.header);
    checkTime(request, standardScheme.timestampHeader, options.toleranceSeconds ?? 300);
  };
}

/** The three headers of a Standard Webhooks request; for tests, demos and stubs. */
export function standardWebhooksHeaders(
  secret: string,
  message: { readonly id: string; readonly timestampSeconds: number; readonly body: Buffer },
): Record<string, string> {
  const headers = { "webhook-id": message.id, "webhook-timestamp": String(message.timestampSeconds) };
  const signature = digest(standardScheme, standardKey(secret), { headers, body: message.body });
  return { ...headers, "webhook-signature": `v1,${signature.toString("base64")}` };
}

/** Verifies HTTP basic credentials; several pairs may be live at once. */
export function createBasicVerifier(
  credentials: readonly { readonly username: string; readonly password: string }[],
): Verifier {
  const expected = credentials.map(({ username, password }) => `${username}:${password}`);
  requireSecrets(expected);
  return (request) => {
    const header = requireHeader(request, "authorization");
    const [, encoded = ""] = /^basic +(\S+)$/i.exec(header) ?? [];
    requireToken(Buffer.from(encoded, "base64").toString("utf8"), expected, "authorization");
  };
}

/** Verifies a secret that is the rest of the hook's path (`/hooks/<connection>/<token>`), for senders that sign nothing. */
export function createPathTokenVerifier(tokens: readonly string[]): Verifier {
  requireSecrets(tokens);
  return (request) => requireToken(request.path.replace(/\/$/, ""), tokens, "path");
}

/** Verifies a fixed secret that the sender puts into a header. */
export function createHeaderTokenVerifier(header: string, tokens: readonly string[]): Verifier {
  requireSecrets(tokens);
  return (request) => requireToken(requireHeader(request, header), tokens, header);
}

/**
 * Whether two texts are the same, in a time that does not depend on where they differ or on their lengths.
 */
export function equalInConstantTime(given: string, expected: string): boolean {
  return timingSafeEqual(
    createHash("sha256").update(given).digest(),
    createHash("sha256").update(expected).digest(),
  );
}

/**
 * A sender's clock reading in milliseconds since the epoch: seconds or milliseconds as digits, or RFC 3339. Undefined when it is
 * none of these.
 */
export function parseTimestamp(text: string): number | undefined {
  if (/^\d{1,15}$/.test(text)) {
    const number = Number(text);
    return number >= 1e11 ? number : number * 1000;
  }
  const at = /^\d{4}-\d\d-\d\dT/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(at) ? undefined : at;
}

/** Throws `webhook_stale` when the time of the request is further than the tolerance from when it arrived. */
export function checkTime(
  request: WebhookRequest,
  header: string | undefined,
  toleranceSeconds: number | undefined,
): void {
  if (header === undefined || toleranceSeconds === undefined) return;
  const at = parseTimestamp(requireHeader(request, header));
  if (at === undefined) {
    throw new AppError("webhook_signature", `The header ${header} is not a time.`, { details: { header } });
  }
  const offSeconds = Math.round((request.receivedAt - at) / 1000);
  if (Math.abs(offSeconds) <= toleranceSeconds) return;
  const side = offSeconds > 0 ? "old" : "ahead of our clock";
  throw new AppError(
    "webhook_stale",
    `The request is ${Math.abs(offSeconds)} s ${side}; up to ${toleranceSeconds} s are accepted.`,
    { details: { header, offSeconds, toleranceSeconds } },
  );
}

function digest(scheme: HmacScheme, key: Buffer, request: Pick<WebhookRequest, "body" | "headers">): Buffer {
  const hmac = createHmac(scheme.algorithm, key);
  for (const part of (scheme.signedContent ?? "{body}").split(/(\{[a-z]+\})/)) {
    if (part === "{body}") hmac.update(request.body);
    else if (part === "{timestamp}") hmac.update(requireHeader(request, scheme.timestampHeader ?? ""));
    else if (part === "{id}") hmac.update(requireHeader(request, scheme.idHeader ?? ""));
    else hmac.update(part);
  }
  return hmac.digest();
}

// Every key is tried, so that the time does not tell which one matched.
function matchesAny<T>(given: Buffer, keys: readonly T[], expected: (key: T) => Buffer): boolean {
  let matched = false;
  for (const key of keys) {
    const bytes = expected(key);
    if (bytes.length === given.length && timingSafeEqual(bytes, given)) matched = true;
  }
  return matched;
}

function signatureBytes(scheme: HmacScheme, value: string): Buffer {
  const prefix = scheme.prefix ?? "";
  const encoded = value.slice(prefix.length);
  // Node decodes as far as it can; what is not wholly of the encoding is no signature.
  const isEncoded = scheme.encoding === "hex" ? /^([0-9a-f]{2})+$/i : /^[A-Za-z0-9+/_-]+={0,2}$/;
  if (!value.startsWith(prefix) || !isEncoded.test(encoded)) return Buffer.alloc(0);
  return Buffer.from(encoded, scheme.encoding);
}

function requireToken(given: string, expected: readonly string[], where: string): void {
  const matches = expected.map((one) => equalInConstantTime(given, one));
  if (!matches.includes(true)) {
    throw new AppError("webhook_signature", `The credential in the ${where} is wrong.`, {
      details: { where },
    });
  }
}

function requireHeader(request: Pick<WebhookRequest, "headers">, name: string): string {
  const value = request.headers[name];
  if (value !== undefined && value !== "") return value;
  throw new AppError("webhook_signature", `The header ${name} is missing.`, { details: { header: name } });
}

function wrongSignature(header: string): AppError {
  return new AppError(
    "webhook_signature",
    `The signature in ${header} does not match the body: another secret, or the body was changed on its way.`,
    { details: { header } },
  );
}

function requireSecrets(secrets: readonly string[]): void {
  if (secrets.length > 0 && secrets.every((secret) => secret !== "")) return;
  throw new AppError("config_invalid", "A webhook secret is empty; at least one is needed.");
}

function checkTemplate(scheme: HmacScheme): void {
  const template = scheme.signedContent ?? "{body}";
  const lacks = (hole: string, header: string | undefined): boolean =>
    template.includes(hole) && header === undefined;
  const fault =
    (!template.includes("{body}") && "signedContent does not hold {body}") ||
    (lacks("{timestamp}", scheme.timestampHeader) &&
      "signedContent holds {timestamp} but no timestampHeader is given") ||
    (lacks("{id}", scheme.idHeader) && "signedContent holds {id} but no idHeader is given") ||
    (scheme.toleranceSeconds !== undefined &&
      scheme.timestampHeader === undefined &&
      "toleranceSeconds is given but no timestampHeader");
  if (fault !== false) throw new AppError("config_invalid", `The signature scheme is incomplete: ${fault}.`);
}

function standardKey(secret: string): Buffer {
  const encoded = secret.replace(/^whsec_/, "");
  if (!/^[A-Za-z0-9+/]{22,}={0,2}$/.test(encoded)) {
    throw new AppError(
      "config_invalid",
      "A Standard Webhooks secret is `whsec_` and at least 16 bytes in base64; the one given is not.",
    );
  }
  return Buffer.from(encoded, "base64");
}
