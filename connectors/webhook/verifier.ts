import {
  createBasicVerifier,
  createHeaderTokenVerifier,
  createHmacVerifier,
  createPathTokenVerifier,
  createStandardWebhooksVerifier,
} from "deskbridge/sdk";
import type { HmacScheme, Verifier } from "deskbridge/sdk";

/** The schemes by which senders prove who they are, as they are configured. */
export type Scheme =
  | ({ readonly scheme: "hmac"; readonly secrets: string | readonly string[] } & HmacScheme)
  | {
      readonly scheme: "standard-webhooks";
      readonly secrets: string | readonly string[];
      readonly toleranceSeconds: number;
    }
  | { readonly scheme: "basic"; readonly username: string; readonly secrets: string | readonly string[] }
  | { readonly scheme: "path-token"; readonly secrets: string | readonly string[] }
  | { readonly scheme: "header-token"; readonly header: string; readonly secrets: string | readonly string[] }
  | { readonly scheme: "none" };

/** The verifier of a scheme. Throws `config_invalid` for one that is incomplete. */
export function createVerifier(scheme: Scheme): Verifier {
  if (scheme.scheme === "none") return () => undefined;
  const secrets = [scheme.secrets].flat() as readonly string[];
  switch (scheme.scheme) {
    case "hmac":
      return createHmacVerifier(scheme, secrets);
    case "standard-webhooks":
      return createStandardWebhooksVerifier({ secrets, toleranceSeconds: scheme.toleranceSeconds });
    case "basic":
      return createBasicVerifier(secrets.map((password) => ({ username: scheme.username, password })));
    case "path-token":
      return createPathTokenVerifier(secrets);
    case "header-token":
      return createHeaderTokenVerifier(scheme.header, secrets);
  }
}
