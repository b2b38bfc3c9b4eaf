import { AppError } from "../errors.ts";
import { requireEndUser } from "./end-user.ts";
import { parseObjectId } from "./object-id.ts";
import type { Call, ReadAnswer, Route, WriteContext } from "./route.ts";
import { fileRoute, readRoute, uploadRoute } from "./route.ts";
import { attachment, linkedAttachment, linkQuery, uploadQuery } from "./schema-attachment.ts";
import type { Found } from "./store/read.ts";

type Params = Readonly<Record<string, string>>;

function attachmentOf({ id = "" }: Params): number {
  return parseObjectId("attachment", id);
}

async function withLink(
  found: Found | undefined,
  call: Call<unknown, undefined>,
  { attachments }: WriteContext,
): Promise<ReadAnswer> {
  if (found === undefined) throw new AppError("not_found", "there is no such attachment");
  const { expires, key, signature } = await requireAttachments(attachments).sign(found.id);
  const query = new URLSearchParams({ expires: String(expires), key: String(key), signature });
  const url = `${call.origin}/v1/attachments/att_${found.id}/content?${query.toString()}`;
  const until = new Date(expires * 1000).toISOString();
  const facts = { ...(JSON.parse(found.body) as object), download_url: url, download_expires_at: until };
  return { body: JSON.stringify(facts) };
}

/** The place for files; throws `capability_missing` in a process that has none. */
export function requireAttachments<T>(attachments: T | undefined): T {
  if (attachments === undefined) throw new AppError("capability_missing", "this server keeps no attachments");
  return attachments;
}

/** Files of messages: taken in, told of, and handed out. */
export const attachmentRoutes: readonly Route[] = [
  uploadRoute({
    method: "POST",
    path: "/v1/attachments",
    scope: "tickets:write",
    summary: "Take in a file; the body is its bytes",
    query: uploadQuery,
    answers: { 201: attachment },
    upload: ({ query }) => query,
  }),
  readRoute({
    method: "GET",
    path: "/v1/attachments/{id}",
    scope: "tickets:read",
    summary: "Get what is known of a file, with an address to download it from",
    answers: { 200: linkedAttachment },
    read: async (call, store, context) =>
      withLink(await store.find("attachmentById", [attachmentOf(call.params)]), call, context),
  }),
  fileRoute({
    method: "GET",
    path: "/v1/attachments/{id}/content",
    caller: "anyone",
    scope: null,
    summary: "Download a file by a signed address",
    query: linkQuery,
    answers: {},
    file: ({ params, query }) => ({ attachment: attachmentOf(params), link: query }),
  }),
  uploadRoute({
    method: "POST",
    path: "/v1/me/attachments",
    caller: "end_user",
    scope: null,
    summary: "Take in a file for a message of one's own; the body is its bytes",
    query: uploadQuery,
    answers: { 201: attachment },
    upload: ({ query }) => query,
  }),
  readRoute({
    method: "GET",
    path: "/v1/me/attachments/{id}",
    caller: "end_user",
    scope: null,
    summary: "Get a file of one's own tickets, with an address to download it from",
    answers: { 200: linkedAttachment },
    read: async (call, store, context) => {
      const values = [attachmentOf(call.params), requireEndUser(call.caller).contact];
      return withLink(await store.find("ownAttachment", values), call, context);
    },
  }),
];
