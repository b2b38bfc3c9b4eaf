import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv } from "ajv";

interface Exchange {
  readonly method: string;
  readonly path: string;
  readonly request: unknown;
  readonly status: number;
  readonly answer: unknown;
}

/** Holds requests and answers to the vendor's own description of its API. */
export interface ZendeskContract {
  /** What is wrong with the exchange; nothing for a path that the description lacks. */
  readonly violations: (exchange: Exchange) => readonly string[];
  /** How many bodies were compared so far. */
  readonly compared: () => number;
}

const file = join(import.meta.dirname, "../../../shared/specs/zendesk.json");

interface Content {
  readonly content?: { readonly "application/json"?: { readonly schema?: object } };
}
interface Operation {
  readonly requestBody?: Content;
  readonly responses?: Readonly<Record<string, Content>>;
}
interface Description {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Record<string, unknown> };
}

/** The description lies beside the project where it is worked on; undefined, with a word about it, where it does not. */
export function readZendeskContract(): ZendeskContract | undefined {
  if (!existsSync(file)) {
    console.warn("zendesk: the vendor's description of its API is absent; nothing is held to it");
    return undefined;
  }
  const description = JSON.parse(readFileSync(file, "utf8")) as Description;
  correct(description.components.schemas);
  const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
  ajv.addSchema(description, "zendesk");
  let compared = 0;
  const compile = createCompiler(ajv, () => (compared += 1));
  const routes = Object.entries(description.paths).map(([template, operations]) => ({
    template,
    operations,
    pattern: new RegExp(`^${template.replaceAll(/\{\w+\}/g, "[^/]+")}$`),
  }));
  return {
    compared: () => compared,
    violations: ({ method, path, request, status, answer }) => {
      const matching = routes.filter(({ pattern }) => pattern.test(path));
      const route = matching.find(({ template }) => template === path) ?? matching[0];
      const operation = route?.operations[method.toLowerCase()];
      if (operation === undefined) return [];
      const isGood = status >= 200 && status < 300;
      const at = `${method} ${path}`;
      return [
        ...(isGood ? compile(operation.requestBody, request, `${at} sends`) : []),
        ...compile(operation.responses?.[String(status)], answer, `${at} ${status} answers`),
      ];
    },
  };
}

// Where the description is wrong: it takes the value of a field for the definition of one, and does not know that values may be missing.
function correct(schemas: Record<string, unknown>): void {
  schemas["CustomFieldObject"] = {
    type: "object",
    required: ["id", "value"],
    properties: { id: { type: "integer" } },
  };
  const ticket = schemas["TicketObject"] as { properties: Record<string, unknown> };
  ticket.properties["custom_fields"] = {
    type: "array",
    items: { $ref: "#/components/schemas/CustomFieldObject" },
  };
  for (const name of ["UserForAdmin", "UserForEndUser"]) {
    const user = schemas[name] as { properties: Record<string, { nullable?: boolean } | undefined> };
    for (const property of ["email", "phone"])
      Object.assign(user.properties[property] ?? {}, { nullable: true });
  }
  // Exports list tickets that were deleted too.
  const status = ticket.properties["status"] as { readonly enum: string[] };
  status.enum.push("deleted");
  ticket.properties["priority"] = { enum: ["urgent", "high", "normal", "low", null] };
}

function createCompiler(ajv: Ajv, onCompared: () => void) {
  const validators = new Map<object, ReturnType<Ajv["compile"]>>();
  return (part: Content | undefined, value: unknown, what: string): readonly string[] => {
    const schema = part?.content?.["application/json"]?.schema;
    if (schema === undefined || value === undefined) return [];
    const validate = validators.get(schema) ?? ajv.compile(absolute(schema));
    validators.set(schema, validate);
    onCompared();
    if (validate(value)) return [];
    return (validate.errors ?? []).map((error) => `${what} ${error.instancePath}: ${error.message}`);
  };
}

/** The schema with references that find the description from outside of it. */
function absolute(schema: object): object {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/components/', '"zendesk#/components/')) as object;
}
