import { createHash } from "node:crypto";
import { docsScript, docsStyle } from "./docs-page-style.ts";
import { codeBlock, escapeHtml, markdown } from "./docs-text.ts";
import { curlOf, shapeTable } from "./docs-shape.ts";
import type { OpenApiDocument } from "./openapi.ts";
import type { JsonSchema } from "./openapi-schema.ts";

/** A page, and the policy that lets a browser use nothing but what is in it. */
export interface DocsPage {
  readonly html: string;
  readonly policy: string;
}

interface Operation {
  readonly method: string;
  readonly path: string;
  readonly id: string;
  readonly tag: string;
  readonly definition: JsonSchema;
}

/** The reference of the API as one page of HTML: every operation with its parameters, shapes, answers and a call with curl. */
export function createDocsPage(document: OpenApiDocument): DocsPage {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, definition]) => ({
      method,
      path,
      definition,
      id: String(definition.operationId),
      tag: String((definition.tags as readonly string[])[0]),
    })),
  );
  const groups = document.tags.map((tag) => ({
    ...tag,
    operations: operations.filter((operation) => operation.tag === tag.name),
  }));
  const menu = groups.map(
    ({ name, operations: own }) =>
      `<div data-group><h2>${escapeHtml(name)}</h2>${own.map(menuItem).join("")}</div>`,
  );
  const parts = groups.map(
    ({ name, description = "", operations: own }) =>
      `<div data-group><h2>${escapeHtml(name)}</h2>${markdown(description)}${own.map((one) => section(one, document)).join("")}</div>`,
  );
  const shapes = Object.entries(document.components.schemas ?? {}).map(
    ([name, schema]) =>
      `<section class="operation" id="shape-${name}" data-words="${name.toLowerCase()}"><h3>${name}</h3>${shapeTable(schema)}</section>`,
  );
  const { title, description } = document.info as { readonly title: string; readonly description: string };
  const html = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title><style>${docsStyle}</style></head>
<body><nav aria-label="Operations"><input type="search" placeholder="Search (press /)" aria-label="Search operations">${menu.join("")}
<div data-group><h2>Shapes</h2>${Object.keys(document.components.schemas ?? {})
    .map(shapeItem)
    .join("")}</div></nav>
<main><h1>${escapeHtml(title)}</h1>${markdown(description)}<p><a href="/v1/openapi.json">The OpenAPI document</a></p>
${parts.join("")}<div data-group><h2>Shapes</h2>${shapes.join("")}</div></main>
<script>${docsScript}</script></body></html>`;
  return { html, policy: policyOf() };
}

function menuItem({ method, path, id, definition }: Operation): string {
  const words = `${method} ${path} ${id} ${String(definition.summary)}`.toLowerCase();
  return `<a href="#${id}" data-words="${escapeHtml(words)}"><span class="method ${method}">${method.toUpperCase()}</span>${escapeHtml(id)}</a>`;
}

function shapeItem(name: string): string {
  return `<a href="#shape-${name}" data-words="${name.toLowerCase()}">${name}</a>`;
}

function section({ method, path, id, definition }: Operation, document: OpenApiDocument): string {
  const {
    summary,
    description,
    parameters = [],
    requestBody,
    responses,
  } = definition as {
    readonly summary: string;
    readonly description: string;
    readonly parameters?: readonly JsonSchema[];
    readonly requestBody?: JsonSchema;
    readonly responses: Readonly<Record<string, JsonSchema>>;
  };
  const words = `${method} ${path} ${id} ${summary}`.toLowerCase();
  const body = requestBody === undefined ? "" : `<h4>Body</h4>${contentTable(requestBody)}`;
  const answers = Object.entries(responses).map(([status, response]) =>
    answer(status, follow(response, document)),
  );
  return `<section class="operation" id="${id}" data-words="${escapeHtml(words)}">
<h3>${escapeHtml(summary)} <a href="#${id}" aria-label="Link to ${id}">#</a></h3>
<code class="address"><span class="method ${method}">${method.toUpperCase()}</span> ${escapeHtml(path)}</code>${markdown(description)}
${parameterTable(parameters.map((parameter) => follow(parameter, document)))}${body}
<h4>Example</h4>${codeBlock(curlOf({ method, path, definition }, document))}
<h4>Answers</h4>${answers.join("")}</section>`;
}

function answer(status: string, response: JsonSchema): string {
  const [meaning = ""] = String(response.description).split("\n");
  const headers = Object.keys(response.headers ?? {}).map((name) => `<code>${escapeHtml(name)}</code>`);
  const carried = headers.length === 0 ? "" : `<p class="quiet">Headers: ${headers.join(", ")}</p>`;
  return `<details><summary><code>${status}</code> ${markdown(meaning, "span")}</summary>${contentTable(response)}${carried}</details>`;
}

function contentTable({ content = {} }: JsonSchema): string {
  return Object.entries(content as Readonly<Record<string, { readonly schema?: JsonSchema }>>)
    .map(
      ([type, { schema = {} }]) =>
        `<p class="quiet"><code>${escapeHtml(type)}</code></p>${shapeTable(schema)}`,
    )
    .join("");
}

function parameterTable(parameters: readonly JsonSchema[]): string {
  if (parameters.length === 0) return "";
  const rows = parameters.map(
    ({ name, in: place, required, description = "" }) =>
      `<tr><td><code>${escapeHtml(String(name))}</code></td><td class="quiet">${escapeHtml(String(place))}${required === true ? ", required" : ""}</td>` +
      `<td>${markdown(String(description), "span")}</td></tr>`,
  );
  return `<h4>Parameters</h4><table>${rows.join("")}</table>`;
}

function follow(part: JsonSchema, document: OpenApiDocument): JsonSchema {
  if (typeof part.$ref !== "string") return part;
  const names = part.$ref.slice(2).split("/");
  return names.reduce<unknown>((at, name) => (at as JsonSchema)[name], document) as JsonSchema;
}

function policyOf(): string {
  const hash = (text: string): string => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
  const rules = [
    "default-src 'none'",
    `style-src ${hash(docsStyle)}`,
    `script-src ${hash(docsScript)}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ];
  return rules.join("; ");
}
