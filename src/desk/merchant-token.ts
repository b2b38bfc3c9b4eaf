import type { KeyObject } from "node:crypto";
import { createPublicKey } from "node:crypto";
import { errors, jwtVerify } from "jose";
import { AppError } from "../errors.ts";

/** A key that the merchant signs tokens of end users with. */
export interface MerchantKey {
  readonly kid: string;
  /** The one algorithm that is taken with this key, whatever a token says. */
  readonly algorithm: "HS256" | "EdDSA";
  /** For HS256: the shared secret. For EdDSA: the public key, an Ed25519 one in PEM. */
  readonly key: string;
  /** The system whose ids `sub` names. */
  readonly source: string;
}

/** The rules for tokens that the merchant signs. */
export interface MerchantTokens {
  /** What `aud` must be, or have among others. */
  readonly audience: string;
  /** What `iss` must be; not looked at when undefined. */
  readonly issuer: string | undefined;
  /** The furthest that `exp` may lie ahead, in milliseconds. */
  readonly maxLifetimeMs: number;
  /** Several are live at a time while they are rotated. */
  readonly keys: readonly MerchantKey[];
}

/** Whom a token names, in the merchant's words. */
interface MerchantUser {
  readonly source: string;
  readonly externalId: string;
  /** Only where `email_verified` is true. */
  readonly email: string | undefined;
  readonly name: string | undefined;
  /** The latest moment at which the token can have been signed, in milliseconds since the epoch. */
  readonly issuedAt: number;
  /** In milliseconds since the epoch. */
  readonly expiresAt: number;
}

export type VerifyMerchantToken = (token: string) => Promise<MerchantUser>;

/** More than any maximal lifetime, in milliseconds: for so long a token that was signed before an erasure may still come. */
export const longestLifetimeMs = 8 * 86_400_000;

const toleranceSeconds = 10;

/** What `alg` may say of a key: RFC 9864 gives EdDSA with an Ed25519 key a name of its own, which newer libraries write. */
const namesOf: Readonly<Record<MerchantKey["algorithm"], readonly string[]>> = {
  HS256: ["HS256"],
  EdDSA: ["EdDSA", "Ed25519"],
};

/**
 * A verifier of the merchant's JWTs. A token must name its key by `kid`, be signed with that key's algorithm, be for our audience and run out within
 * the maximal lifetime; anything else is `unauthorized`, with the reason and nothing of the token.
 */
export function createMerchantTokenVerifier(rules: MerchantTokens, now: () => number): VerifyMerchantToken {
  const keys = new Map(rules.keys.map((key) => [key.kid, { ...key, material: materialOf(key) }]));
  return async (token) => {
    const at = now();
    let source = "";
    const keyOf = ({ kid, alg }: { kid?: string; alg?: string }): Uint8Array | KeyObject => {
      const key = kid === undefined ? undefined : keys.get(kid);
      if (key === undefined) throw refused("its kid names no key");
      if (alg === undefined || !namesOf[key.algorithm].includes(alg))
        throw refused("its algorithm is not that of its key");
      ({ source } = key);
      return key.material;
    };
    const options = {
      algorithms: [...new Set(rules.keys.flatMap(({ algorithm }) => namesOf[algorithm]))],
      audience: rules.audience,
      ...(rules.issuer === undefined ? {} : { issuer: rules.issuer }),
      requiredClaims: ["exp", "sub"],
      clockTolerance: toleranceSeconds,
      currentDate: new Date(at),
    };
    const { payload } = await jwtVerify(token, keyOf, options).catch((error: unknown) => {
      throw error instanceof AppError ? error : refused(reasonOf(error));
    });
    return userOf(payload, source, { at, maxLifetimeMs: rules.maxLifetimeMs });
  };
}

function materialOf({ algorithm, key }: MerchantKey): Uint8Array | KeyObject {
  return algorithm === "HS256" ? new TextEncoder().encode(key) : createPublicKey(key);
}

interface Claims {
  readonly sub?: string | undefined;
  readonly exp?: number | undefined;
  readonly iat?: number | undefined;
  readonly email?: unknown;
  readonly email_verified?: unknown;
  readonly name?: unknown;
}

function userOf(
  { sub, exp, iat, email, email_verified: isVerified, name }: Claims,
  source: string,
  { at, maxLifetimeMs }: { readonly at: number; readonly maxLifetimeMs: number },
): MerchantUser {
  if (typeof sub !== "string" || sub === "" || sub.length > 255 || exp === undefined) {
    throw refused("its sub is not an id of 1 to 255 characters");
  }
  const expiresAt = exp * 1000;
  if (expiresAt - at > maxLifetimeMs + toleranceSeconds * 1000) {
    throw refused("its exp lies further ahead than the maximal lifetime");
  }
  if (iat !== undefined && iat * 1000 - at > toleranceSeconds * 1000) {
    // It would count as signed after an erasure that is still to come.
    throw refused("its iat lies ahead");
  }
  return {
    source,
    externalId: sub,
    email: typeof email === "string" && isVerified === true ? email : undefined,
    name: typeof name === "string" && name !== "" ? name.slice(0, 200) : undefined,
    // Without iat: no later than now, and no earlier than its lifetime allows. The earliest is what is safe to compare with.
    issuedAt: iat === undefined ? expiresAt - maxLifetimeMs : iat * 1000,
    expiresAt,
  };
}

function refused(reason: string): AppError {
  return new AppError("unauthorized", `the token was refused: ${reason}`);
}

function reasonOf(error: unknown): string {
  if (error instanceof errors.JWTExpired) return "it has run out";
  if (error instanceof errors.JWTClaimValidationFailed)
    return `its claim ${error.claim} is not as it must be`;
  if (error instanceof errors.JWSSignatureVerificationFailed) return "its signature is not good";
  return "it is not a JWT that is taken here";
}
