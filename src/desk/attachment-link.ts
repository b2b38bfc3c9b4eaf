import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { AppError } from "../errors.ts";
import type { AttachmentStore, LinkSecret } from "./store/attachments.ts";

/** The part of a download address that says it is good. */
export interface LinkQuery {
  /** In seconds since the epoch. */
  readonly expires: number;
  /** Which secret it is signed with. */
  readonly key: number;
  readonly signature: string;
}

/** Signs addresses of attachments for a time, with a secret that is renewed every month and is the same in all processes. */
export interface LinkSigner {
  readonly sign: (attachment: number) => Promise<LinkQuery>;
  /** Throws `forbidden` for an address that we did not sign, or that has run out. */
  readonly check: (attachment: number, query: LinkQuery) => Promise<void>;
}

interface SignerOptions {
  readonly store: AttachmentStore;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly lifetimeMs: number;
}

const secretsForMs = 3_600_000;
const lookAgainAfterMs = 1000;

export function createLinkSigner({ store, now, lifetimeMs }: SignerOptions): LinkSigner {
  let secrets: readonly LinkSecret[] = [];
  let lookedAt = Number.NEGATIVE_INFINITY;
  const look = async (olderThanMs: number): Promise<readonly LinkSecret[]> => {
    if (now() - lookedAt >= olderThanMs) {
      secrets = await store.linkSecrets(randomBytes(32));
      lookedAt = now();
    }
    return secrets;
  };
  return {
    sign: async (attachment) => {
      const [newest] = await look(secretsForMs);
      if (newest === undefined) throw new AppError("internal", "there is no secret to sign addresses with");
      const expires = Math.ceil((now() + lifetimeMs) / 1000);
      return { expires, key: newest.id, signature: signatureOf(newest.secret, attachment, expires) };
    },
    check: async (attachment, { expires, key, signature }) => {
      const withKey = (known: readonly LinkSecret[]): LinkSecret | undefined =>
        known.find(({ id }) => id === key);
      // Another process may have made a secret that this one has not seen yet.
      const secret = withKey(await look(secretsForMs)) ?? withKey(await look(lookAgainAfterMs));
      const good = secret !== undefined && isSame(signatureOf(secret.secret, attachment, expires), signature);
      if (good && expires * 1000 > now()) return;
      const why = good ? "this download address has run out" : "this download address is not one of ours";
      throw new AppError("forbidden", `${why}; get the attachment for a new one`);
    },
  };
}

function signatureOf(secret: Buffer, attachment: number, expires: number): string {
  return createHmac("sha256", secret).update(`attachment ${attachment} until ${expires}`).digest("base64url");
}

function isSame(one: string, other: string): boolean {
  const [left, right] = [Buffer.from(one), Buffer.from(other)];
  return left.length === right.length && timingSafeEqual(left, right);
}
