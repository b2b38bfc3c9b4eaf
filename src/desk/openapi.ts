import { exampleOf } from "./openapi-example.ts";
import { problemResponses, problemSchema } from "./openapi-answer.ts";
import { answerHeaders, requestHeaders } from "./openapi-header.ts";
import { tagOf } from "./openapi-name.ts";
import { operationOf } from "./openapi-operation.ts";
import type { JsonSchema, SchemaBook } from "./openapi-schema.ts";
import { createSchemaBook } from "./openapi-schema.ts";
import { about, tagDescriptions } from "./openapi-text.ts";
import type { Route, RouteFacts } from "./route.ts";
import { webhookBody } from "./schema-webhook.ts";

/** The document in OpenAPI 3.1. */
export interface OpenApiDocument {
  readonly openapi: "3.1.1";
  readonly info: JsonSchema;
  readonly servers: readonly JsonSchema[];
  readonly tags: readonly { readonly name: string; readonly description?: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, JsonSchema>>>>;
  readonly webhooks: JsonSchema;
  readonly components: Readonly<Record<string, Readonly<Record<string, JsonSchema>>>>;
}

/** Describes the routes: the same routes bring the same document, character for character. */
export function createOpenApi(routes: readonly (Route | RouteFacts)[]): OpenApiDocument {
  const answered = routes.flatMap((route) => Object.values(route.answers));
  const book = createSchemaBook([...answered, webhookBody]);
  const paths: Record<string, Record<string, JsonSchema>> = {};
  for (const route of routes) {
    const path = (paths[route.path] ??= {});
    path[route.method.toLowerCase()] = operationOf(route, book);
  }
  const tags = [...new Set(routes.map(tagOf))];
  return {
    openapi: "3.1.1",
    info: {
      title: "deskbridge Support API",
      version: "1",
      summary: "Tickets, messages, contacts and orders of a support desk, with webhooks and metrics.",
      description: about,
      license: { name: "Apache 2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/", description: "The server that this document came from." }],
    tags: tags.map((name) => ({ name, description: tagDescriptions[name] ?? `Routes under /v1/${name}.` })),
    paths,
    webhooks: webhooksOf(book),
    components: {
      securitySchemes,
      parameters: requestHeaders,
      headers: answerHeaders,
      responses: problemResponses(),
      schemas: { ...withExamples(book.components()), Problem: problemSchema },
    },
  };
}

const securitySchemes: Readonly<Record<string, JsonSchema>> = {
  apiKey: {
    type: "http",
    scheme: "bearer",
    description:
      "An API key (`dbk_…`). Each operation names the scope that the key needs; `admin` includes all.",
  },
  endUser: {
    type: "http",
    scheme: "bearer",
    description:
      "A token of an end user: one of `POST /v1/client-tokens`, or a JWT that the merchant signed.",
  },
};

function withExamples(schemas: Readonly<Record<string, JsonSchema>>): Readonly<Record<string, JsonSchema>> {
  return Object.fromEntries(
    Object.entries(schemas).map(([name, schema]) => {
      const example = exampleOf(name);
      return [name, example === undefined ? schema : { ...schema, examples: [example] }];
    }),
  );
}

function webhooksOf(book: SchemaBook): JsonSchema {
  return {
    change: {
      post: {
        operationId: "receiveChange",
        summary: "What a webhook's receiver gets: a change, signed by Standard Webhooks",
        security: [],
        parameters: ["webhook-id", "webhook-timestamp", "webhook-signature"].map((name) => ({
          name,
          in: "header",
          required: true,
          schema: { type: "string" },
        })),
        requestBody: {
          required: true,
          content: { "application/json": { schema: book.output(webhookBody) } },
        },
        responses: {
          "2XX": { description: "It was delivered." },
          "4XX": { description: "It is sent again later; after 410 nothing more is sent." },
        },
      },
    },
  };
}
