import { z } from "zod";
import { operationData } from "../model/operation.ts";
import type { Registry } from "../registry/registry.ts";
import type { ConnectorDefinition } from "../sdk/connector.ts";
import { deskSchema } from "./desk-section.ts";
import { connectionKeys, exportSchema, flowSchema, namePattern, serverSchema } from "./schema.ts";

/** A JSON Schema, or a piece of one. */
export interface JsonSchema {
  readonly [keyword: string]: unknown;
}

/**
 * The JSON Schema of a whole configuration, for completion in editors: the keys of a connection follow its `use`, the fields of an operation its
 * name. It is looser than the real check where that depends on secrets or expressions.
 */
export async function configJsonSchema(registry: Registry): Promise<JsonSchema> {
  const names = await registry.names();
  const connectors = await Promise.all(names.map((name) => registry.get(name)));
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "deskbridge configuration",
    type: "object",
    additionalProperties: false,
    properties: {
      connections: {
        ...named(connection(names, connectors)),
        description: "The systems to connect, by name.",
      },
      flows: { ...named(flow()), description: "What to do when something happens, by name." },
      exports: {
        ...named(withReferences(fromZod(exportSchema))),
        description: "What to send to a warehouse, and when, by name.",
      },
      desk: {
        ...withReferences(fromZod(deskSchema)),
        description: "Settings of the built-in Support API.",
      },
      server: { ...withReferences(fromZod(serverSchema)), description: "Settings of the server." },
    },
  };
}

/** As it is kept in `config/schema.json`. */
export function formatJsonSchema(schema: JsonSchema): string {
  return `${JSON.stringify(schema, null, 2)}\n`;
}

function named(value: JsonSchema): JsonSchema {
  return { type: "object", propertyNames: { pattern: namePattern.source }, additionalProperties: value };
}

function connection(names: readonly string[], connectors: readonly ConnectorDefinition[]): JsonSchema {
  const engine = fromZod(z.strictObject(connectionKeys)).properties as JsonSchema;
  const use = {
    description: connectionKeys.use.description,
    // An installed package may go by any name; those known here are what an editor offers.
    anyOf: [
      ...connectors.map(({ description }, index) => ({ const: names[index], description })),
      { type: "string" },
    ],
  };
  return {
    type: "object",
    required: ["use"],
    properties: { use },
    allOf: connectors.map((connector, index) => ({
      if: { properties: { use: { const: names[index] } }, required: ["use"] },
      // oxlint-disable-next-line unicorn/no-thenable
      then: connectionOf(connector, { ...engine, use: {} }),
    })),
  };
}

function connectionOf({ config, description }: ConnectorDefinition, engine: JsonSchema): JsonSchema {
  const own = fromZod(config);
  const merged = { ...own, description, properties: { ...(own.properties as JsonSchema), ...engine } };
  return withReferences(merged);
}

function flow(): JsonSchema {
  const schema = fromZod(flowSchema);
  const properties = schema.properties as JsonSchema;
  return {
    ...schema,
    properties: { ...properties, do: { ...(properties.do as JsonSchema), items: operation(properties.at) } },
  };
}

function operation(at: unknown): JsonSchema {
  const operations = Object.entries(operationData).map(([name, data]) => {
    const fields = withHoles(fromZod(data));
    return [name, { ...fields, properties: { at, ...(fields.properties as JsonSchema) } }];
  });
  return {
    type: "object",
    minProperties: 1,
    maxProperties: 1,
    additionalProperties: false,
    properties: Object.fromEntries(operations) as JsonSchema,
  };
}

function fromZod(schema: z.ZodType): JsonSchema {
  const {
    $schema: _,
    definitions: __,
    ...rest
  } = z.toJSONSchema(schema, {
    io: "input",
    target: "draft-07",
    unrepresentable: "any",
    reused: "inline",
    override: ({ jsonSchema }) => {
      // Our own words for error messages; editors have no use for them.
      delete jsonSchema.expected;
      // What defaults look like after parsing (milliseconds, bytes) is not what one writes.
      if (jsonSchema.type === "string" && typeof jsonSchema.default === "number") delete jsonSchema.default;
    },
  });
  return withoutDefinitions(rest) as JsonSchema;
}

// What refers to itself (any JSON value, a tree) is left open: an editor has nothing to offer there.
function withoutDefinitions(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withoutDefinitions);
  if (!isSchema(schema)) return schema;
  if (typeof schema.$ref === "string") return {};
  return Object.fromEntries(
    Object.entries(schema).map(([keyword, value]) => [keyword, withoutDefinitions(value)]),
  );
}

const reference = { type: "string", pattern: "\\$\\{" };
const hole = { type: "string", pattern: "\\{\\{" };

/** Lets `${…}` stand for any value that is no list or mapping. */
function withReferences(schema: JsonSchema): JsonSchema {
  return loosen(schema, reference, isScalar, true);
}

/** Lets `{{ … }}` stand for any value, but for the operation as a whole. */
function withHoles(schema: JsonSchema): JsonSchema {
  return loosen(schema, hole, () => true, true);
}

function loosen(
  schema: JsonSchema,
  alternative: JsonSchema,
  applies: (schema: JsonSchema) => boolean,
  isRoot = false,
): JsonSchema {
  const inner = Object.fromEntries(
    Object.entries(schema).map(([keyword, value]) => [
      keyword,
      loosenKeyword(keyword, value, alternative, applies),
    ]),
  );
  if (isRoot || !applies(schema) || takesAnyText(schema)) return inner;
  const { description, default: fallback, ...rest } = inner;
  return {
    ...(description !== undefined && { description }),
    ...(fallback !== undefined && { default: fallback }),
    anyOf: [rest, alternative],
  };
}

function loosenKeyword(
  keyword: string,
  value: unknown,
  alternative: JsonSchema,
  applies: (schema: JsonSchema) => boolean,
): unknown {
  const one = (schema: unknown): unknown =>
    isSchema(schema) ? loosen(schema, alternative, applies) : schema;
  if (keyword === "properties" && isSchema(value)) {
    return Object.fromEntries(Object.entries(value).map(([name, schema]) => [name, one(schema)]));
  }
  if (keyword === "items" || keyword === "additionalProperties") return one(value);
  if ((keyword === "anyOf" || keyword === "oneOf" || keyword === "allOf") && Array.isArray(value))
    return value.map(one);
  return value;
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isScalar({ type, enum: values }: JsonSchema): boolean {
  return (
    values !== undefined || type === "number" || type === "integer" || type === "boolean" || type === "string"
  );
}

// A plain string, and a schema without a type, take a reference or a hole as they are.
function takesAnyText(schema: JsonSchema): boolean {
  const { type, enum: values, const: only, pattern, format, maxLength, anyOf, oneOf } = schema;
  if (anyOf !== undefined || oneOf !== undefined || only !== undefined) return true;
  if (type === undefined) return values === undefined;
  return (
    type === "string" &&
    values === undefined &&
    pattern === undefined &&
    format === undefined &&
    maxLength === undefined
  );
}
