import { createHash, randomBytes } from "node:crypto";

const prefix = "dbu_";

/** A new token for an end user: opaque, 256 random bits. */
export function newClientToken(): string {
  return prefix + randomBytes(32).toString("base64url");
}

/** Whether a text may be a token of ours, so that what is none is not looked for. */
export function isClientToken(text: string): boolean {
  return /^dbu_[\w-]{43}$/.test(text);
}

/** What is stored and looked up in place of a token. */
export function hashClientToken(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
