import { AppError } from "../errors.ts";
import { hashClientToken, isClientToken } from "./client-token.ts";
import { emailAddress } from "./identity.ts";
import type { MerchantTokens, VerifyMerchantToken } from "./merchant-token.ts";
import { createMerchantTokenVerifier } from "./merchant-token.ts";
import { formatObjectId } from "./object-id.ts";
import { storable } from "./schema-text.ts";
import type { Caller, EndUser } from "./scope.ts";
import type { EndUserStore, SignIn } from "./store/end-users.ts";

/** Settings for end users. */
export interface EndUserOptions {
  /** Tokens that the merchant signs; none are taken when undefined. */
  readonly merchantTokens?: MerchantTokens | undefined;
  /** Origins of web pages that may call `/v1/me` from a browser. */
  readonly origins: readonly string[];
}

interface GateOptions {
  readonly store: EndUserStore;
  readonly merchantTokens: MerchantTokens | undefined;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** Tells whom a token belongs to; throws `unauthorized`. Asks the database each time, so that a token that was revoked is refused from then on. */
export type AuthenticateEndUser = (token: string) => Promise<Caller>;

export function createEndUserGate({ store, merchantTokens, now }: GateOptions): AuthenticateEndUser {
  const verify = merchantTokens && createMerchantTokenVerifier(merchantTokens, now);
  return async (token) => {
    if (isClientToken(token)) {
      const owner = await store.findToken(hashClientToken(token), new Date(now()));
      if (owner === undefined) {
        throw new AppError("unauthorized", "the client token is not known, was revoked or has run out");
      }
      return callerOf({ contact: owner.contact, until: owner.expiresAt.getTime() }, owner.name);
    }
    if (verify === undefined || token.split(".").length !== 3) {
      throw new AppError("unauthorized", "this address takes tokens of end users only");
    }
    return signIn(token, verify, store);
  };
}

async function signIn(token: string, verify: VerifyMerchantToken, store: EndUserStore): Promise<Caller> {
  const user = await verify(token);
  const email = emailAddress.safeParse(user.email);
  const request: SignIn = {
    source: user.source,
    external_id: storable(user.externalId),
    ...(email.success ? { email: email.data } : {}),
    ...(user.name === undefined ? {} : { name: storable(user.name) }),
    issued_at: new Date(user.issuedAt),
  };
  const contact = await store.signIn(request);
  if (contact === undefined) throw new AppError("unauthorized", "the contact of this token was erased");
  return callerOf({ contact, until: user.expiresAt }, user.name ?? null);
}

function callerOf(endUser: EndUser, name: string | null): Caller {
  return { id: formatObjectId("contact", endUser.contact), name: name ?? "", scopes: new Set(), endUser };
}

/** The end user of a route that only end users may call. */
export function requireEndUser({ endUser }: Caller): EndUser {
  if (endUser === undefined) throw new AppError("internal", "a route for end users was called by a key");
  return endUser;
}
