import { z } from "zod";
import { contact } from "../../src/desk/schema-contact.ts";
import { clientToken } from "../../src/desk/schema-me.ts";
import type { DeskAnswer, DeskRequest, DeskStand } from "./desk.ts";

/** A contact with a token of theirs. */
export interface TestEndUser {
  readonly id: string;
  readonly email: string;
  readonly token: string;
  /** Sends a request with their token. */
  readonly send: (
    method: DeskRequest["method"],
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ) => Promise<DeskAnswer>;
}

/** Makes a contact of that name, and a token for them. */
export async function newEndUser(stand: DeskStand, name: string): Promise<TestEndUser> {
  const email = `${name.toLowerCase()}@example.com`;
  const made = await stand.send({ method: "POST", path: "/v1/contacts", body: { name, email } });
  const { id } = contact.parse(made.json);
  const given = await stand.send({ method: "POST", path: "/v1/client-tokens", body: { contact_id: id } });
  const { token } = clientToken.parse(given.json);
  return { id, email, token, send: sendAs(stand, token) };
}

/** Sends requests with any token. */
export function sendAs(stand: DeskStand, token: string): TestEndUser["send"] {
  return (method, path, body, headers = {}) =>
    stand.send({ method, path, body, headers: { authorization: `Bearer ${token}`, ...headers } });
}

/** The id in an answer. */
export function idOf(answer: DeskAnswer): string {
  return z.object({ id: z.string() }).parse(answer.json).id;
}
