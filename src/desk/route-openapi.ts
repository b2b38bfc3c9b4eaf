import { createHash } from "node:crypto";
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { createDocsPage } from "./docs-page.ts";
import type { OpenApiDocument } from "./openapi.ts";
import { createOpenApi } from "./openapi.ts";
import type { Route, RouteFacts } from "./route.ts";

/** Where the document is; it holds no secrets, and whoever is to write a client may not have a key yet. */
export const openApiFacts: RouteFacts = {
  method: "GET",
  path: "/v1/openapi.json",
  caller: "anyone",
  scope: null,
  summary: "Get this document",
  answers: { 200: z.looseObject({ openapi: z.string(), info: z.looseObject({ title: z.string() }) }) },
};

/** The document of the API's routes and of its own. */
export function describeApi(routes: readonly (Route | RouteFacts)[]): OpenApiDocument {
  return createOpenApi([...routes, openApiFacts]);
}

interface Page {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Serves the document at `/v1/openapi.json`, and at `/docs` as a page to read. Both are made when they are first asked for. */
export function createOpenApiPlugin(routes: readonly (Route | RouteFacts)[]): FastifyPluginAsync {
  return async (server: FastifyInstance) => {
    let described: OpenApiDocument | undefined;
    let document: Page | undefined;
    let docs: Page | undefined;
    const describe = (): OpenApiDocument => (described ??= describeApi(routes));
    server.get(openApiFacts.path, (request, reply) => {
      document ??= pageOf(JSON.stringify(describe()), {
        "content-type": "application/json; charset=utf-8",
        // Pages of any origin may read it: it is the same for everyone.
        "access-control-allow-origin": "*",
      });
      return sendPage(request, reply, document);
    });
    server.get("/docs", (request, reply) => {
      docs ??= docsOf(describe());
      return sendPage(request, reply, docs);
    });
  };
}

function docsOf(document: OpenApiDocument): Page {
  const { html, policy } = createDocsPage(document);
  return pageOf(html, {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": policy,
    "referrer-policy": "no-referrer",
  });
}

function pageOf(body: string, headers: Readonly<Record<string, string>>): Page {
  const etag = `"${createHash("sha256").update(body).digest("base64url").slice(0, 27)}"`;
  return { body, headers: { ...headers, etag, "cache-control": "no-cache" } };
}

function sendPage(request: FastifyRequest, reply: FastifyReply, { body, headers }: Page): FastifyReply {
  void reply.headers(headers);
  return request.headers["if-none-match"] === headers.etag ? reply.code(304).send() : reply.send(body);
}
