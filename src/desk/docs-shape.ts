import { escapeHtml, markdown } from "./docs-text.ts";
import type { OpenApiDocument } from "./openapi.ts";
import type { JsonSchema } from "./openapi-schema.ts";

const home = "#/components/schemas/";

/** The fields of a shape as a table; a shape without fields as its type. */
export function shapeTable(schema: JsonSchema): string {
  const fields = Object.entries((schema.properties ?? {}) as Readonly<Record<string, JsonSchema>>);
  if (fields.length === 0) return `<p>${typeOf(schema)} ${said(schema)}</p>`;
  const required = new Set((schema.required ?? []) as readonly string[]);
  const rows = fields.map(
    ([name, field]) =>
      `<tr><td><code>${escapeHtml(name)}</code></td><td class="quiet">${typeOf(field)}${required.has(name) ? ", required" : ""}</td><td>${said(field)}</td></tr>`,
  );
  return `${said(schema)}<table>${rows.join("")}</table>`;
}

function said({
  description,
  minLength,
  maxLength,
  minimum,
  maximum,
  maxItems,
  default: usual,
}: JsonSchema): string {
  const bounds = [
    range(minLength, maxLength, "characters"),
    range(minimum, maximum, ""),
    range(undefined, maxItems, "items"),
    usual === undefined || JSON.stringify(usual).length > 40
      ? ""
      : `\`${JSON.stringify(usual)}\` unless told`,
  ].filter((text) => text !== "");
  const words = typeof description === "string" ? [description, ...bounds] : bounds;
  return markdown(words.join("; "), "span");
}

function range(least: unknown, most: unknown, unit: string): string {
  const [from, to] = [least, most].map((bound) => (typeof bound === "number" ? bound : undefined));
  if (from === undefined && to === undefined) return "";
  const text = to === undefined ? `from ${from}` : `${from ?? "up"} to ${to}`;
  return `${text} ${unit}`.trim();
}

/** A type in words, with links to named shapes; HTML. */
function typeOf(schema: JsonSchema): string {
  const { $ref, type, items, enum: members, const: only, format, anyOf, oneOf, allOf } = schema;
  if (typeof $ref === "string") {
    const name = $ref.slice(home.length);
    return `<a href="#shape-${escapeHtml(name)}">${escapeHtml(name)}</a>`;
  }
  if (Array.isArray(members)) return (members as unknown[]).map(value).join(" | ");
  if (only !== undefined) return value(only);
  const choices = (anyOf ?? oneOf) as readonly JsonSchema[] | undefined;
  if (choices !== undefined) return choices.map(typeOf).join(" | ");
  if (Array.isArray(allOf)) return typeOf((allOf as readonly JsonSchema[])[0] ?? {});
  if (type === "array") return `list of ${typeOf((items ?? {}) as JsonSchema)}`;
  if (type === "object" && schema.properties !== undefined) return `{ ${innerFields(schema)} }`;
  const name = Array.isArray(type)
    ? (type as string[]).join(" | ")
    : typeof type === "string"
      ? type
      : "anything";
  return escapeHtml(typeof format === "string" ? `${name} (${format})` : name);
}

function innerFields({ properties }: JsonSchema): string {
  return Object.entries(properties as Readonly<Record<string, JsonSchema>>)
    .map(([name, field]) => `${escapeHtml(name)}: ${typeOf(field)}`)
    .join(", ");
}

function value(member: unknown): string {
  return `<code>${escapeHtml(JSON.stringify(member))}</code>`;
}

interface Call {
  readonly method: string;
  readonly path: string;
  readonly definition: JsonSchema;
}

/** A call of the operation with curl, with the examples of the document. */
export function curlOf({ method, path, definition }: Call, document: OpenApiDocument): string {
  const {
    parameters = [],
    requestBody,
    security,
  } = definition as {
    readonly parameters?: readonly JsonSchema[];
    readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: JsonSchema }>> };
    readonly security: readonly JsonSchema[];
  };
  const address = path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => {
    const example = parameters.find((parameter) => parameter.name === name)?.example;
    return typeof example === "string" ? example : "…";
  });
  const key = security[0] !== undefined && "endUser" in security[0] ? "$TOKEN" : "$DESKBRIDGE_API_KEY";
  const schema = requestBody?.content["application/json"]?.schema;
  const lines = [
    `curl ${method === "get" ? "" : `-X ${method.toUpperCase()} `}"$DESK${address}"`,
    ...(security.length === 0 ? [] : [`-H "Authorization: Bearer ${key}"`]),
    ...(schema === undefined
      ? []
      : ['-H "Content-Type: application/json"', `-d '${bodyOf(schema, document)}'`]),
    ...(requestBody !== undefined && schema === undefined ? ["--data-binary @receipt.pdf"] : []),
  ];
  return lines.join(" \\\n  ");
}

function bodyOf(schema: JsonSchema, { components }: OpenApiDocument): string {
  const name = typeof schema.$ref === "string" ? schema.$ref.slice(home.length) : "";
  const [example = {}] = (components.schemas?.[name]?.examples ?? []) as readonly unknown[];
  return JSON.stringify(example, null, 2).replaceAll("'", "'\\''");
}
