import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";

/** A credential that ends. */
export interface Token {
  readonly value: string;
  /** From when on it is not to be used, in milliseconds since the epoch. */
  readonly endsAt: number;
  /** What the next renewal needs, such as a refresh token that is good for once. */
  readonly state?: string;
}

/** How a connection comes by its token. */
export interface TokenSource {
  /** A secret of the settings. The token is kept encrypted with it, and forgotten when it changes. */
  readonly sealedWith: string;
  /** Fetches a token; `last` is the one before, also after a restart and from other processes. Not called by two at once, over all processes. */
  readonly fetch: (last: Token | undefined) => Promise<Token>;
}

/** A connection's token, shared by all processes: one of them fetches it, the others take it over. */
export interface SharedToken {
  /** The token's value, fetched first where there is none that is good. Throws what `fetch` throws, and `ledger_unavailable`. */
  readonly current: () => Promise<string>;
  /** Says that the vendor refused this value; unless it was renewed meanwhile, `current` fetches another. */
  readonly refuse: (value: string) => void;
}

/** Where the tokens of a connection are kept, as opaque text. */
export interface TokenStore {
  /** Gives `change` what is kept, and keeps what it answers, while nobody else does the same in any process. Nothing is kept when it throws. */
  readonly exchange: (change: (kept: string | undefined) => Promise<string>) => Promise<string>;
}

interface TokenFacts {
  readonly source: TokenSource;
  readonly store: TokenStore;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

export function createSharedToken({ source, store, now }: TokenFacts): SharedToken {
  const seal = createSeal(source.sealedWith);
  const refused = new Set<string>();
  let known: Token | undefined;
  let asking: Promise<Token> | undefined;

  const isGood = (token: Token | undefined): token is Token =>
    token !== undefined && now() < token.endsAt && !refused.has(token.value);

  const ask = async (): Promise<Token> => {
    const kept = await store.exchange(async (text) => {
      const last = text === undefined ? undefined : seal.open(text);
      return isGood(last) && text !== undefined ? text : seal.close(await source.fetch(last));
    });
    known = seal.open(kept);
    refused.clear();
    return known as Token;
  };

  return {
    current: async () => {
      if (isGood(known)) return known.value;
      // Callers share one request, so none of them can end it; the HTTP client's time limit does.
      asking ??= ask().finally(() => {
        asking = undefined;
      });
      return (await asking).value;
    },
    refuse: (value) => {
      if (known?.value === value) refused.add(value);
    },
  };
}

const algorithm = "aes-256-gcm";
const nonceBytes = 12;
const tagBytes = 16;

/** Encrypts tokens with a key made of a secret. What was sealed with another one opens as undefined. */
function createSeal(secret: string) {
  const key = Buffer.from(hkdfSync("sha256", secret, "", "deskbridge token", 32));
  return {
    close: (token: Token): string => {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv(algorithm, key, nonce);
      const sealed = Buffer.concat([cipher.update(JSON.stringify(token), "utf8"), cipher.final()]);
      return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString("base64");
    },
    open: (text: string): Token | undefined => {
      const bytes = Buffer.from(text, "base64");
      const decipher = createDecipheriv(algorithm, key, bytes.subarray(0, nonceBytes), {
        authTagLength: tagBytes,
      });
      try {
        decipher.setAuthTag(bytes.subarray(nonceBytes, nonceBytes + tagBytes));
        const sealed = bytes.subarray(nonceBytes + tagBytes);
        const plain = Buffer.concat([decipher.update(sealed), decipher.final()]);
        return JSON.parse(plain.toString("utf8")) as Token;
      } catch {
        return undefined;
      }
    },
  };
}

/** Keeps a token in this process only, where there is no ledger. */
export function createTokenMemory(): TokenStore {
  let kept: string | undefined;
  let last: Promise<unknown> = Promise.resolve();
  return {
    exchange: (change) => {
      const next = last.then(async () => (kept = await change(kept)));
      last = next.catch(() => undefined);
      return next;
    },
  };
}
