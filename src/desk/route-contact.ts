import { requireFound } from "./found.ts";
import type { Identity } from "./identity.ts";
import {
  emailAddress,
  identitiesOf,
  identityOf,
  newIdentity,
  phoneNumber,
  uniqueIdentities,
} from "./identity.ts";
import type { StoreInput } from "./input.ts";
import { parseObjectId } from "./object-id.ts";
import { formatPage, parseCursor } from "./page.ts";
import { parsePart } from "./request.ts";
import type { Route } from "./route.ts";
import { readRoute, writeRoute } from "./route.ts";
import type { ContactChange, ContactQuery } from "./schema-contact.ts";
import { contact, contactChange, contactQuery, newContact } from "./schema-contact.ts";
import { pageOf, ref } from "./schema-text.ts";
import type { IdentityFilter } from "./store/list-queries.ts";
import { contactList } from "./store/list-queries.ts";

/** The number of the contact in an address; throws `not_found`. */
export function addressedContact(params: Readonly<Record<string, string>>): number {
  return parseObjectId("contact", params.id ?? "");
}

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

function contactInput({ refs: _refs, ...facts }: ContactChange, identities: readonly Identity[]): StoreInput {
  return { ...facts, identities };
}

function filterOf({
  email,
  phone,
  external_id,
  source,
  address,
  channel,
}: ContactQuery): readonly IdentityFilter[] {
  const filter: IdentityFilter[] = [...identitiesOf({ email, phone })];
  if (external_id !== undefined) filter.push({ kind: "external", source, value: external_id });
  if (address !== undefined) filter.push({ kind: "channel", source: channel, value: address });
  return filter;
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
    input: ({ body }) => contactInput(body, identitiesOf(body)),
  }),
  readRoute({
    method: "GET",
    path: "/v1/contacts",
    scope: "contacts:read",
    summary: "List contacts, or find them by an identity",
    query: contactQuery,
    answers: { 200: pageOf(contact) },
    read: async ({ query }, store) => {
      const after = parseCursor(query.cursor, "contacts");
      const page = await store.list(contactList(filterOf(query), { after, limit: query.limit }));
      return { body: formatPage(page, "contacts") };
    },
  }),
  readRoute({
    method: "GET",
    path: "/v1/contacts/{id}",
    scope: "contacts:read",
    summary: "Get a contact",
    answers: { 200: contact },
    read: async ({ params }, store) =>
      requireFound("contact", await store.find("contactById", [addressedContact(params)])),
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
      ...contactInput(body, identitiesOf(body)),
      contact: addressedContact(params),
    }),
  }),
  writeRoute({
    method: "POST",
    path: "/v1/contacts/{id}/identities",
    scope: "contacts:write",
    summary: "Add an identity, or say whether it is verified; 409 when it belongs to another",
    body: newIdentity,
    answers: { 200: contact },
    operation: "add_identity",
    versioned: true,
    input: ({ params, body }) => ({ contact: addressedContact(params), identity: identityOf(body) }),
  }),
  writeRoute({
    method: "DELETE",
    path: "/v1/contacts/{id}/identities/{identityId}",
    scope: "contacts:write",
    summary: "Take an identity away",
    answers: { 200: contact },
    operation: "remove_identity",
    versioned: true,
    input: ({ params }) => ({
      contact: addressedContact(params),
      identity: parseObjectId("identity", params.identityId ?? ""),
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
      return requireFound("contact", await store.find("contactByIdentity", [kind, source, value]));
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
  const primary =
    identity.kind === "email" || identity.kind === "phone"
      ? { [identity.kind]: body[identity.kind] ?? identity.value }
      : {};
  return { ...contactInput(body, uniqueIdentities([identity, ...identitiesOf(body)])), ...primary };
}
