import { AppError } from "deskbridge/sdk";
import type { DeskOperations, EffectReceipt, NewTicket, OperationInput } from "deskbridge/sdk";
import { z } from "zod";
import type { ZendeskApi } from "./api.ts";
import { parseAnswer } from "./api.ts";
import { known, remoteId } from "./ticket.ts";

type Identity = Pick<OperationInput<"contact.upsert">, "email" | "phone" | "externalId">;
type ContactFacts = OperationInput<"contact.upsert">;

/** People on the desk: requesters of tickets, and contacts. */
export interface Contacts {
  /** The members of a new ticket that say who asks. Someone with an address is sent along; anybody else is made known first, which a repeat does not do again. */
  readonly requester: (person: NewTicket["requester"], signal: AbortSignal) => Promise<object>;
  readonly operations: Pick<DeskOperations, "contact.upsert">;
}

const userBody = z.object({
  id: remoteId,
  email: z.string().nullish(),
  phone: z.string().nullish(),
  external_id: z.string().nullish(),
});
type User = z.output<typeof userBody>;

const userAnswer = z.object({ user: userBody });
const userList = z.object({ users: z.array(userBody) });

export function createContacts(api: ZendeskApi): Contacts {
  return {
    requester: async ({ id, email, name, ...rest }, signal) => {
      if (id !== undefined) return { requester_id: Number(checkedId(id)) };
      if (email !== undefined) return { requester: { email, name: name ?? email } };
      const facts = known<ContactFacts>({ ...rest, name });
      const user = await findUser(api, facts, signal);
      return { requester_id: Number(user?.id ?? (await upsert(api, facts, signal)).id) };
    },
    operations: {
      "contact.upsert": async (facts, call) => {
        const { signal } = call;
        // A contact that an earlier try has made is not taken for one that was there before.
        const user = call.begun("create") ? undefined : await findUser(api, facts, signal);
        if (user !== undefined) {
          await update(api, user, facts, signal);
          return contactReceipt("updated", user.id);
        }
        let isNew = true;
        let found: User | undefined;
        const made = await call.once({
          step: "create",
          send: async () => {
            const answer = await upsert(api, facts, signal);
            isNew = answer.isNew;
            return { id: answer.id };
          },
          find: async () => {
            found = await findUser(api, facts, signal);
            return found === undefined ? [] : [{ id: found.id }];
          },
        });
        // Another effect may have made it, with other facts.
        if (made.how === "found" && found !== undefined) await update(api, found, facts, signal);
        const receipt = contactReceipt(isNew ? "created" : "updated", made.object.id);
        return made.how === "sent" ? receipt : { ...receipt, replayed: true };
      },
    },
  };
}

function contactReceipt(result: "created" | "updated", id: string): EffectReceipt {
  return { result, kind: "contact", id };
}

function checkedId(id: string): string {
  if (/^\d+$/.test(id)) return id;
  throw new AppError("operation_invalid", "requester.id is not an id of the desk: digits are expected");
}

/** The user that the identity names. Throws `target_rejected` when its parts belong to different people: nobody is merged on an address alone. */
async function findUser(
  api: ZendeskApi,
  { externalId, email, phone }: Identity,
  signal: AbortSignal,
): Promise<User | undefined> {
  if (externalId === undefined && email === undefined) return findByPhone(api, phone ?? "", signal);
  const byId =
    externalId === undefined
      ? undefined
      : (await search(api, { external_id: externalId }, signal)).find((user) =>
          isSame(user.external_id, externalId),
        );
  const byEmail =
    email === undefined
      ? undefined
      : (await search(api, { query: `email:${email}` }, signal)).find((user) => isSame(user.email, email));
  if (byId !== undefined && byEmail !== undefined && byId.id !== byEmail.id) {
    throw ambiguous("the external id and the e-mail address", [byId.id, byEmail.id]);
  }
  const taken = byEmail?.external_id ?? undefined;
  if (
    byEmail !== undefined &&
    taken !== undefined &&
    externalId !== undefined &&
    !isSame(taken, externalId)
  ) {
    throw new AppError(
      "target_rejected",
      `the e-mail address belongs to user ${byEmail.id}, who has another external id; merge them on the desk or correct the address`,
      { details: { user: byEmail.id } },
    );
  }
  return byId ?? byEmail;
}

async function findByPhone(api: ZendeskApi, phone: string, signal: AbortSignal): Promise<User | undefined> {
  const digits = digitsOf(phone);
  const found = await search(api, { query: `phone:${digits}` }, signal);
  const users = found.filter((user) => digitsOf(user.phone ?? "") === digits);
  if (users.length > 1) {
    throw ambiguous(
      "the phone number",
      users.map((user) => user.id),
    );
  }
  return users[0];
}

function ambiguous(what: string, ids: readonly string[]): AppError {
  return new AppError(
    "target_rejected",
    `${what} belong to several users (${ids.slice(0, 5).join(", ")}); merge them on the desk or name one by its id`,
    { details: { users: ids.slice(0, 5) } },
  );
}

async function search(
  api: ZendeskApi,
  query: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<readonly User[]> {
  return (await api.ask({ method: "GET", path: "/api/v2/users/search", query, signal }, userList)).users;
}

async function update(api: ZendeskApi, user: User, facts: ContactFacts, signal: AbortSignal): Promise<void> {
  const { email, ...changes } = userOf(facts);
  // The vendor adds an address to those that a user has; one that is there already would be refused.
  const body = { user: isSame(user.email, email) ? changes : known({ ...changes, email }) };
  await api.ask({ method: "PUT", path: `/api/v2/users/${user.id}`, body, signal }, userAnswer);
}

/** One call that makes the user or changes the one with this external id or address; a repeat changes nothing. */
async function upsert(
  api: ZendeskApi,
  facts: ContactFacts,
  signal: AbortSignal,
): Promise<{ readonly id: string; readonly isNew: boolean }> {
  const { externalId, email, phone, name } = facts;
  // Known by the number alone, a user gets an external id made of it: the vendor tells nobody apart by number.
  const identity = externalId ?? (email === undefined ? `phone:${digitsOf(phone ?? "")}` : undefined);
  const user = known({
    ...userOf(facts),
    external_id: identity,
    // Without a name nobody new is taken. It says who it is, so that it is no worse than none.
    name: name ?? email ?? phone ?? externalId,
    skip_verify_email: true,
  });
  const request = {
    method: "POST",
    path: "/api/v2/users/create_or_update",
    body: { user },
    signal,
  } as const;
  const answer = await api.send(request);
  return { id: parseAnswer(request, answer, userAnswer).user.id, isNew: answer.status === 201 };
}

function userOf({ externalId, email, phone, name, customFields }: ContactFacts) {
  return known({ name, email, phone, external_id: externalId, user_fields: customFields });
}

function isSame(one: string | null | undefined, other: string | undefined): boolean {
  return one?.toLowerCase() === other?.toLowerCase();
}

function digitsOf(phone: string): string {
  return phone.replaceAll(/\D/g, "");
}
