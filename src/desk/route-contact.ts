import { AppError } from "../errors.ts";
import type { Identity } from "./identity.ts";
import { emailAddress, identitiesOf, phoneNumber } from "./identity.ts";
import type { StoreInput } from "./input.ts";
import { parseObjectId } from "./object-id.ts";
import { formatPage, parseCursor } from "./page.ts";
import { parsePart } from "./request.ts";
import type { Route } from "./route.ts";
import { readRoute, writeRoute } from "./route.ts";
import type { ContactChange } from "./schema-contact.ts";
import { contact, contactChange, contactQuery, newContact } from "./schema-contact.ts";
import { pageOf, ref } from "./schema-text.ts";
import { contactList } from "./store/list-queries.ts";

/** The identity in an address: the sources `email` and `phone` name those, any other is a system with its own ids. */
function addressedIdentity(params: Readonly<Record<string, string>>): Identity {
  const { source, external_id: value } = parsePart(
    ref,
    { source: params.source, external_id: params.externalId },
    "address",
  );
  if (source === "email")
    return { kind: source, source: "", value: parsePart(emailAddress, value, "address") };
  if (source === "phone")
    return { kind: source, source: "", value: parsePart(phoneNumber, value, "address") };
  return { kind: "external", source, value };
}

function contactInput({ refs, ...facts }: ContactChange): StoreInput {
  return { ...facts, identities: identitiesOf({ ...facts, refs }) };
}

export const contactRoutes: readonly Route[] = [
  writeRoute({
    method: "POST",
    path: "/v1/contacts",
    scope: "contacts:write",
    summary: "Create a contact; 409 when an identity belongs to another",
    body: newContact,
    answers: { 201: contact },
    operation: "create_contact",
    input: ({ body }) => contactInput(body),
  }),
  readRoute({
    method: "GET",
    path: "/v1/contacts",
    scope: "contacts:read",
    summary: "List contacts, or find them by an identity",
    query: contactQuery,
    answers: { 200: pageOf(contact) },
    read: async ({ query }, store) => {
      const { source, limit } = query;
      const refs = query.external_id === undefined ? [] : [{ source: "", external_id: query.external_id }];
      const identities = identitiesOf({ email: query.email, phone: query.phone, refs });
      const after = parseCursor(query.cursor, "contacts");
      return {
        body: formatPage(await store.list(contactList({ identities, source }, { after, limit })), "contacts"),
      };
    },
  }),
  readRoute({
    method: "GET",
    path: "/v1/contacts/{id}",
    scope: "contacts:read",
    summary: "Get a contact",
    answers: { 200: contact },
    read: async ({ params }, store) =>
      known(await store.find("contactById", [parseObjectId("contact", params.id ?? "")])),
  }),
  writeRoute({
    method: "PATCH",
    path: "/v1/contacts/{id}",
    scope: "contacts:write",
    summary: "Change a contact",
    body: contactChange,
    answers: { 200: contact },
    operation: "patch_contact",
    versioned: true,
    input: ({ params, body }) => ({
      ...contactInput(body),
      contact: parseObjectId("contact", params.id ?? ""),
    }),
  }),
  readRoute({
    method: "GET",
    path: "/v1/contacts/by-ref/{source}/{externalId}",
    scope: "contacts:read",
    summary: "Get the contact with an identity",
    answers: { 200: contact },
    read: async ({ params }, store) => {
      const { kind, source, value } = addressedIdentity(params);
      return known(await store.find("contactByIdentity", [kind, source, value]));
    },
  }),
  writeRoute({
    method: "PUT",
    path: "/v1/contacts/by-ref/{source}/{externalId}",
    scope: "contacts:write",
    summary: "Create or change the contact with an identity",
    body: contactChange,
    answers: { 200: contact, 201: contact },
    operation: "put_contact",
    versioned: true,
    input: ({ params, body }) => putInput(addressedIdentity(params), body),
  }),
];

function putInput(identity: Identity, body: ContactChange): StoreInput {
  const input = contactInput(body);
  const others = identitiesOf(body).filter((other) => !isSame(other, identity));
  const primary =
    identity.kind === "external" ? {} : { [identity.kind]: body[identity.kind] ?? identity.value };
  return { ...input, ...primary, identities: [identity, ...others] };
}

function isSame(one: Identity, other: Identity): boolean {
  return one.kind === other.kind && one.source === other.source && one.value === other.value;
}

function known<T>(found: T | undefined): T {
  if (found === undefined) throw new AppError("not_found", "there is no such contact");
  return found;
}
