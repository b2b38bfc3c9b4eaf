import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv } from "ajv";
import { parse } from "yaml";
import type { GorgiasExchange } from "./gorgias-stub.ts";

const file = join(import.meta.dirname, "../../../shared/specs/gorgias.yaml");

interface Description {
  readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly components: { readonly schemas: Record<string, { properties: Record<string, object> }> };
}

/** What is wrong with an exchange by a third party's description of the API, where that is right. */
export type GorgiasContract = (exchange: GorgiasExchange) => readonly string[];

/** The description lies beside the project where it is worked on; undefined, with a word about it, where it does not. */
export function readGorgiasContract(): GorgiasContract | undefined {
  if (!existsSync(file)) {
    console.warn("gorgias: the description of the API is absent; nothing is held to it");
    return undefined;
  }
  const description = parse(readFileSync(file, "utf8")) as Description;
  correct(description.components.schemas);
  const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
  ajv.addSchema(description, "gorgias");
  const routes = Object.entries(description.paths).map(([template, operations]) => ({
    operations,
    pattern: new RegExp(`^${template.replaceAll(/\{\w+\}/g, "\\d+")}$`),
  }));
  const faultsOf = (schema: string, value: unknown): readonly string[] => {
    const validate = ajv.getSchema(`gorgias#/components/schemas/${schema}`);
    if (validate === undefined) throw new Error(`the description has no ${schema}`);
    if (validate(value) === true) return [];
    return (validate.errors ?? []).map(({ instancePath, message }) => `${schema}${instancePath} ${message}`);
  };
  return ({ method, path, body, status, answer }) => {
    const route = routes.find(({ pattern }) => pattern.test(path));
    if (route?.operations[method.toLowerCase()] === undefined) return [`${method} ${path} is not described`];
    const schema = schemaOf(path);
    if (schema === undefined || status >= 300) return [];
    return [
      ...(method === "GET" ? [] : faultsOf(schema, body)),
      ...rowsOf(answer).flatMap((row) => faultsOf(schema, row)),
    ];
  };
}

// Where the description is wrong: it knows no nulls, and another name for the highest priority.
function correct(schemas: Description["components"]["schemas"]): void {
  for (const { properties } of Object.values(schemas)) {
    for (const [name, property] of Object.entries(properties)) {
      properties[name] = { anyOf: [property, { type: "null" }] };
    }
  }
  Object.assign(schemas["Ticket"]?.properties ?? {}, {
    priority: { enum: ["low", "normal", "high", "critical"] },
  });
}

function schemaOf(path: string): string | undefined {
  if (path.endsWith("/messages")) return "Message";
  if (path.startsWith("/api/tickets")) return "Ticket";
  return path.startsWith("/api/customers") ? "Customer" : undefined;
}

function rowsOf(answer: unknown): readonly unknown[] {
  const list = (answer as { data?: unknown } | undefined)?.data;
  return Array.isArray(list) ? list : [answer];
}
