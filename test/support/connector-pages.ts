import { z } from "zod";
import type { ConnectorDefinition } from "../../src/sdk/connector.ts";

interface Schema {
  readonly type?: string | readonly string[];
  readonly const?: string;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly default?: unknown;
  readonly description?: string;
}

interface Setting {
  readonly path: string;
  readonly type: string;
  readonly fallback: string;
  readonly description: string;
}

/** The settings of a connector, one a row, as its own schema describes them. */
export function settingsOf(definition: ConnectorDefinition): readonly Setting[] {
  const schema = z.toJSONSchema(definition.config, { io: "input", unrepresentable: "any" }) as Schema;
  return rowsOf(schema, "");
}

function rowsOf(schema: Schema, prefix: string): Setting[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, inner]) => {
    const path = `${prefix}${name}`;
    const required = schema.required?.includes(name) === true;
    const row = {
      path,
      type: typeOf(inner),
      fallback: fallbackOf(inner, required),
      description: inner.description ?? "",
    };
    const variants = [...(inner.anyOf ?? []), ...(inner.oneOf ?? [])].filter(
      (one) => one.properties !== undefined,
    );
    const nested = variants.flatMap((one) => rowsOf(withoutTag(one), `${path}(${tagOf(one)}).`));
    return [row, ...nested, ...rowsOf(inner, `${path}.`), ...rowsOf(inner.items ?? {}, `${path}[].`)];
  });
}

function tagOf(variant: Schema): string {
  const tag = Object.values(variant.properties ?? {}).find((one) => one.const !== undefined);
  return tag?.const ?? "object";
}

function withoutTag(variant: Schema): Schema {
  const rest = Object.entries(variant.properties ?? {}).filter(([, one]) => one.const === undefined);
  return { ...variant, properties: Object.fromEntries(rest) };
}

function typeOf(schema: Schema): string {
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum !== undefined) return schema.enum.length > 8 ? "one of many" : schema.enum.join(", ");
  const variants = [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])];
  const tags = variants.filter((one) => one.properties !== undefined).map(tagOf);
  if (tags.length > 0) return tags.join(", ");
  // Any JSON at all is written as a list of all its forms.
  if (variants.length > 4) return "any";
  if (variants.length > 0) return [...new Set(variants.map(typeOf))].join(" or ");
  if (schema.type === "array") return `list of ${typeOf(schema.items ?? {})}`;
  if (typeof schema.type === "string") return schema.type;
  return "any";
}

function fallbackOf(schema: Schema, required: boolean): string {
  if (schema.default !== undefined) return `\`${JSON.stringify(schema.default)}\``;
  return required ? "required" : "";
}

const begin = "<!-- settings: written by `npm run docs` from the connector's schema -->";
const end = "<!-- end of settings -->";

/** The page with its table of settings written anew; the prose around it stays. Throws when the page has no place for the table. */
export function withSettings(page: string, definition: ConnectorDefinition): string {
  const [before, rest] = page.split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined)
    throw new Error(`the page has no lines ${begin} and ${end}`);
  const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ");
  const rows = settingsOf(definition).map(
    ({ path, type, fallback, description }) =>
      `| \`${path}\` | ${cell(type)} | ${cell(fallback)} | ${cell(description)} |`,
  );
  const table = ["| Setting | Type | Default | What it is |", "| --- | --- | --- | --- |", ...rows];
  return `${before}${begin}\n\n${table.join("\n")}\n\n${end}${after}`;
}
