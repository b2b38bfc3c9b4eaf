import { createPublicKey } from "node:crypto";
import { z } from "zod";
import type { DeskConfig } from "./config.ts";
import { duration, size } from "./quantity.ts";

const keyFacts = {
  kid: z.string().min(1).max(200).describe("Name of the key, as tokens have it in `kid`."),
  source: z.string().min(1).max(100).describe("The system whose customer ids the tokens have in `sub`."),
};

const merchantKey = z.discriminatedUnion("algorithm", [
  z.strictObject({
    algorithm: z.literal("HS256"),
    ...keyFacts,
    secret: z
      .string()
      .refine((secret) => Buffer.byteLength(secret) >= 32, "this is too short; expected 32 bytes at least")
      .describe("The secret that both sides have, 32 bytes at least."),
  }),
  z.strictObject({
    algorithm: z.literal("EdDSA"),
    ...keyFacts,
    publicKey: z
      .string()
      .refine(isEd25519, "this is not a public key; expected an Ed25519 one in PEM")
      .describe("The public key, an Ed25519 one in PEM."),
  }),
]);

function isEd25519(pem: string): boolean {
  try {
    return pem.includes("PUBLIC KEY") && createPublicKey(pem).asymmetricKeyType === "ed25519";
  } catch {
    return false;
  }
}

function isOrigin(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol) && new URL(text).origin === text;
}

const endUsers = z.strictObject({
  origins: z
    .array(z.string().refine(isOrigin, "this is not an origin; expected one such as https://shop.example"))
    .max(100)
    .default([])
    .describe("Web pages that may call /v1/me from a browser, by their origin."),
  audience: z.string().min(1).default("deskbridge").describe("What tokens of the merchant's have as `aud`."),
  issuer: z.string().min(1).optional().describe("What they have as `iss`; anything when absent."),
  maxTokenLifetime: duration({ min: "1m", max: "7d" })
    .default(86_400_000)
    .describe("The furthest that their `exp` may lie ahead."),
  keys: z
    .array(merchantKey)
    .max(20)
    .refine((keys) => new Set(keys.map(({ kid }) => kid)).size === keys.length, "two keys have the same kid")
    .default([])
    .describe("Keys that the merchant signs tokens with; several while they are rotated."),
});

const bucket = z.strictObject({
  bucket: z.string().min(1).describe("Name of the bucket; it must be there."),
  region: z.string().min(1).default("us-east-1").describe("Region of the bucket."),
  endpoint: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe("Address of an S3-compatible server; AWS when absent."),
  pathStyle: z
    .boolean()
    .default(false)
    .describe("Whether the bucket stands in the path of addresses rather than in the host."),
  prefix: z.string().max(200).default("").describe("What the names of objects begin with."),
  accessKeyId: z.string().min(1).optional().describe("Absent where the machine has a role of its own."),
  secretAccessKey: z.string().min(1).optional().describe("Belongs to accessKeyId."),
});

const typePattern = /^[a-z]+\/(\*|[a-z0-9.+-]+)$/;

const attachments = z.strictObject({
  maxBytes: size({ min: "1kb", max: "5gb" })
    .default(25 * 1024 ** 2)
    .describe("Largest attachment."),
  types: z
    .array(
      z
        .string()
        .refine(
          (type) => typePattern.test(type),
          "this is not a type; expected one such as image/png or image/*",
        ),
    )
    .min(1)
    .optional()
    .describe(
      "Types that are taken, by what is in them; images, audio, video, PDF, text, archives and office files when absent.",
    ),
  linkLifetime: duration({ min: "10s", max: "1d" })
    .default(600_000)
    .describe("How long a download address is good."),
  s3: bucket.optional().describe("Keep attachments in a bucket; in the data directory when absent."),
});

const limitOf = (requests: number, what: string) =>
  z
    .strictObject({
      requests: z.int().min(1).max(1_000_000_000).describe("How many requests…"),
      per: duration({ min: "1s", max: "1d" }).describe("…in how long."),
    })
    .default({ requests, per: 60_000 })
    .describe(what);

const limits = z.strictObject({
  key: limitOf(60_000, "What each API key may send to one process."),
  endUser: limitOf(600, "What each end user may."),
  own: limitOf(
    1_000_000,
    "What the key of the environment may, which the worker uses; more than a process can answer.",
  ),
});

export const deskSchema = z.strictObject({
  limits: limits.prefault({}).describe("Requests that callers may send; each item of a batch is one."),
  endUsers: endUsers.prefault({}).describe("Customers who use the Support API themselves."),
  attachments: attachments.prefault({}).describe("Files of messages."),
});

/** The section as the rest of the program takes it. */
export function toDeskConfig({
  endUsers: own,
  attachments: files,
  limits: most,
}: z.output<typeof deskSchema>): DeskConfig {
  const { origins, audience, issuer, maxTokenLifetime: maxLifetimeMs } = own;
  const keys = own.keys.map(({ kid, source, ...key }) => ({
    kid,
    source,
    algorithm: key.algorithm,
    key: key.algorithm === "HS256" ? key.secret : key.publicKey,
  }));
  const { maxBytes, types, linkLifetime, s3 } = files;
  return {
    limits: { key: toLimit(most.key), endUser: toLimit(most.endUser), own: toLimit(most.own) },
    endUsers: {
      origins,
      merchantTokens: keys.length === 0 ? undefined : { audience, issuer, maxLifetimeMs, keys },
    },
    attachments: { maxBytes, types, linkLifetimeMs: linkLifetime, s3 },
  };
}

function toLimit({ requests, per }: z.output<typeof limits>["key"]): DeskConfig["limits"]["key"] {
  return { requests, seconds: per / 1000 };
}
