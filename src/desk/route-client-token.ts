import { hashClientToken, newClientToken } from "./client-token.ts";
import { parseObjectId } from "./object-id.ts";
import type { Route } from "./route.ts";
import { writeRoute } from "./route.ts";
import * as schema from "./schema-me.ts";

// Whoever gives out tokens can read and write as any contact: that is all of the desk.
const scope = "admin";

/** Tokens with which a contact may read and write what is theirs, under `/v1/me`. */
export const clientTokenRoutes: readonly Route[] = [
  writeRoute({
    method: "POST",
    path: "/v1/client-tokens",
    scope,
    summary: "Give a contact a token for a time; the answer is the only one with it",
    body: schema.newClientToken,
    answers: { 201: schema.clientToken },
    operation: "create_client_token",
    repeated: true,
    input: ({ body }, { now }) => {
      const token = newClientToken();
      return {
        contact: parseObjectId("contact", body.contact_id),
        token,
        hash: hashClientToken(token).toString("hex"),
        expires_at: new Date(now() + body.ttl_seconds * 1000),
      };
    },
  }),
  writeRoute({
    method: "DELETE",
    path: "/v1/client-tokens/{id}",
    scope,
    summary: "End a client token before its time",
    answers: { 200: schema.revokedClientToken },
    operation: "revoke_client_token",
    input: ({ params }) => ({ client_token: parseObjectId("client token", params.id ?? "") }),
  }),
];
