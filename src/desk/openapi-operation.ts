import { z } from "zod";
import { deskDatasets as datasetNames } from "./dataset.ts";
import type { ObjectKind } from "./object-id.ts";
import { formatObjectId } from "./object-id.ts";
import { problemReference, problemStatusesOf } from "./openapi-answer.ts";
import { commonHeadersOf, headerReference, parameterReference, writeHeaders } from "./openapi-header.ts";
import { operationIdOf, tagOf } from "./openapi-name.ts";
import type { JsonSchema, SchemaBook } from "./openapi-schema.ts";
import type { Route, RouteFacts } from "./route.ts";

/** Whose ids an address has, by the word before them. */
const kinds: Readonly<Record<string, ObjectKind>> = {
  tickets: "ticket",
  contacts: "contact",
  orders: "order",
  messages: "message",
  webhooks: "webhook",
  deliveries: "delivery",
  identities: "identity",
  attachments: "attachment",
  "client-tokens": "client token",
};

/** An operation of the document: all that its route's row says. */
export function operationOf(route: Route | RouteFacts, book: SchemaBook): JsonSchema {
  const parameters = [...pathParameters(route.path), ...queryParameters(route, book), ...headersOf(route)];
  const body = requestBodyOf(route, book);
  const statuses = problemStatusesOf(route);
  const successes = Object.entries(route.answers).map(([status, schema]) => [
    status,
    successOf(route, Number(status), schema, book),
  ]);
  return {
    operationId: operationIdOf(route),
    tags: [tagOf(route)],
    summary: route.summary,
    description: descriptionOf(route),
    security: securityOf(route),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined ? {} : { requestBody: body }),
    responses: {
      ...Object.fromEntries(successes),
      ...("file" in route ? { 200: fileAnswer } : {}),
      ...("rows" in route ? { 200: rowsAnswer } : {}),
      ...(isCacheable(route) ? { 304: unchangedOf(route) } : {}),
      ...Object.fromEntries(statuses.map((status) => [status, problemReference(status)])),
    },
  };
}

function unchangedOf({ caller }: RouteFacts): JsonSchema {
  return {
    description: "The client has this version.",
    headers: { ...commonHeadersOf(caller), ETag: headerReference("ETag") },
  };
}

function securityOf({ caller, scope }: RouteFacts): readonly JsonSchema[] {
  if (caller === "anyone") return [];
  if (caller === "end_user") return [{ endUser: [] }];
  return [{ apiKey: scope === null ? [] : [scope] }];
}

function descriptionOf(route: Route | RouteFacts): string {
  const { caller, scope } = route;
  const who =
    caller === "anyone"
      ? "file" in route
        ? "Takes no key: the address is signed, and runs out."
        : "Takes no key."
      : caller === "end_user"
        ? "For end users: reaches what belongs to the token's contact."
        : scope === null
          ? "rows" in route
            ? "Takes the scope that reading the objects takes."
            : "For every API key."
          : `Takes the scope \`${scope}\`.`;
  const repeated =
    "repeated" in route && route.repeated
      ? " Carried out each time it is sent: its answer holds a secret that is kept nowhere."
      : "";
  const streamed =
    "stream" in route ? " Answers Server-Sent Events; the schema is that of one event's `data`." : "";
  return who + repeated + streamed + ("maxBatchBytes" in route ? batched : "");
}

function hasVersion(route: Route | RouteFacts): boolean {
  const schema = route.answers[200];
  return "read" in route && schema instanceof z.ZodObject && "version" in schema.shape;
}

const batched =
  " Each request is carried out as if it had come by itself: with this key's scopes, with its own idempotency key, refused alone. " +
  "Streams, uploads, batches and routes of end users cannot be in it. With an `Idempotency-Key` of its own, a batch gives each write without one " +
  "a key made of it and the write's place.";

/** Whether `If-None-Match` is looked at. */
function isCacheable(route: Route | RouteFacts): boolean {
  return hasVersion(route) || route.caller === "anyone";
}

function headersOf(route: Route | RouteFacts): readonly JsonSchema[] {
  const names: string[] = [];
  if ("maxBatchBytes" in route || "upload" in route) names.push("IdempotencyKey");
  if ("operation" in route && route.repeated !== true) names.push("IdempotencyKey");
  if ("operation" in route && route.versioned === true) names.push("IfMatch");
  if (isCacheable(route)) names.push("IfNoneMatch");
  if ("stream" in route) names.push("LastEventId");
  return names.map(parameterReference);
}

function pathParameters(path: string): readonly JsonSchema[] {
  const segments = path.split("/");
  return segments.flatMap((segment, index) => {
    const name = /^\{(\w+)\}$/.exec(segment)?.[1];
    if (name === undefined) return [];
    const parameter = { name, in: "path", required: true };
    const kind = kinds[segments[index - 1] ?? ""];
    if (name === "dataset") return [{ ...parameter, schema: { enum: datasetNames }, example: "tickets" }];
    if (/source$/i.test(name)) return [{ ...parameter, ...source }];
    if (/externalId$/i.test(name)) return [{ ...parameter, ...externalId }];
    const example = kind === undefined ? {} : { example: formatObjectId(kind, 7) };
    return [{ ...parameter, schema: { type: "string" }, ...example }];
  });
}

const source: JsonSchema = {
  description: "The system that the id belongs to, percent-encoded.",
  schema: { type: "string", minLength: 1, maxLength: 100 },
  example: "shop",
};

const externalId: JsonSchema = {
  description: "The id in that system, percent-encoded.",
  schema: { type: "string", minLength: 1, maxLength: 255 },
  example: "1001",
};

function queryParameters({ query }: RouteFacts, book: SchemaBook): readonly JsonSchema[] {
  if (query === undefined) return [];
  const { properties = {}, required = [] } = book.input(query) as {
    readonly properties?: Readonly<Record<string, JsonSchema>>;
    readonly required?: readonly string[];
  };
  return Object.entries(properties).map(([name, { description, ...schema }]) => ({
    name,
    in: "query",
    ...(required.includes(name) ? { required: true } : {}),
    ...(description === undefined ? {} : { description }),
    schema,
  }));
}

/** Bytes of any type. */
const anyFile: JsonSchema = { "*/*": { schema: { description: "the bytes of the file" } } };

const fileAnswer: JsonSchema = {
  description: "The file, to be saved: it is never shown as a page.",
  headers: {
    ...commonHeadersOf("anyone"),
    "Content-Disposition": { schema: { type: "string" }, example: 'attachment; filename="receipt.pdf"' },
  },
  content: anyFile,
};

const rowsAnswer: JsonSchema = {
  description:
    'Rows as CSV after RFC 4180 without a heading, each ended by a line feed: an empty field is null, `""` the empty text, booleans are `t` and `f`, ' +
    "times are in UTC. Of a page of `delete` the columns are those of the key. A body that breaks off is no page.",
  headers: {
    ...commonHeadersOf(),
    "Deskbridge-Part": headerReference("Part"),
    "Deskbridge-Next-Cursor": headerReference("NextCursor"),
    "Deskbridge-Has-More": headerReference("HasMore"),
    "Deskbridge-As-Of": headerReference("AsOf"),
    "Deskbridge-Fraction": headerReference("Fraction"),
    "Deskbridge-Preparing": headerReference("Preparing"),
  },
  content: { "text/csv": { schema: { type: "string" } } },
};

function requestBodyOf(route: Route | RouteFacts, book: SchemaBook): JsonSchema | undefined {
  if ("upload" in route) return { required: true, content: anyFile };
  const { body } = route;
  if (body === undefined) return undefined;
  // What may be left out whole is taken as {}.
  const required = !body.safeParse({}).success;
  return { required, content: { "application/json": { schema: book.input(body) } } };
}

function successOf(
  route: Route | RouteFacts,
  status: number,
  schema: z.ZodType,
  book: SchemaBook,
): JsonSchema {
  const type = "stream" in route ? "text/event-stream" : "application/json";
  const versioned = isCacheable(route) || ("versioned" in route && route.versioned);
  return {
    description: meanings[status] ?? "Success.",
    headers: {
      ...commonHeadersOf(route.caller),
      ...(versioned ? { ETag: headerReference("ETag") } : {}),
      ...("operation" in route || "upload" in route ? writeHeaders : {}),
    },
    content: { [type]: { schema: book.output(schema) } },
  };
}

const meanings: Readonly<Record<number, string>> = {
  200: "Done.",
  201: "Created.",
  202: "Accepted; it is done soon.",
};
