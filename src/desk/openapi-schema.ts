import { z } from "zod";
import { componentNames } from "./openapi-component.ts";

export type JsonSchema = Readonly<Record<string, unknown>>;

/** Makes JSON Schemas of zod's; shapes with a name are gathered and referred to. */
export interface SchemaBook {
  /** What a client may send. */
  readonly input: (schema: z.core.$ZodType) => JsonSchema;
  /** What a client gets. It may get more: fields are added without a new version. */
  readonly output: (schema: z.core.$ZodType) => JsonSchema;
  /** The named shapes so far, by name. */
  readonly components: () => Readonly<Record<string, JsonSchema>>;
}

type Direction = "input" | "output";

const home = "#/components/schemas/";

/** What zod knows of a schema, with the names of ours. */
class NamedSchemas extends z.core.$ZodRegistry<Record<string, unknown>> {
  readonly #nameOf: (schema: z.core.$ZodType) => string | undefined;

  constructor(nameOf: (schema: z.core.$ZodType) => string | undefined) {
    super();
    this.#nameOf = nameOf;
  }

  override get(schema: z.core.$ZodType): Record<string, unknown> | undefined {
    const known = z.globalRegistry.get(schema);
    const id = this.#nameOf(schema);
    return id === undefined ? known : { ...known, id };
  }
}

/** `answered` are the schemas of all answers: a shape of theirs that is also sent goes by another name there, since its input is stricter. */
export function createSchemaBook(answered: readonly z.core.$ZodType[]): SchemaBook {
  const names = componentNames();
  const outputNames = new Set<string>();
  const found = new Map<string, JsonSchema>();
  const nameOf = (io: Direction) => (schema: z.core.$ZodType) => {
    const name = names.get(schema);
    return name !== undefined && io === "input" && outputNames.has(name) ? `${name}Input` : name;
  };
  const metadata = { output: new NamedSchemas(nameOf("output")), input: new NamedSchemas(nameOf("input")) };
  const done = {
    input: new Map<z.core.$ZodType, JsonSchema>(),
    output: new Map<z.core.$ZodType, JsonSchema>(),
  };
  const convert = (schema: z.core.$ZodType, io: Direction): JsonSchema => {
    const converted = done[io].get(schema) ?? convertAnew(schema, io);
    done[io].set(schema, converted);
    return converted;
  };
  const convertAnew = (schema: z.core.$ZodType, io: Direction): JsonSchema => {
    const {
      $schema: _dialect,
      $defs = {},
      "~standard": _standard,
      ...root
    } = z.toJSONSchema(schema, { io, metadata: metadata[io], override: (context) => tidy(context, io) });
    for (const [name, definition] of Object.entries($defs)) keep(name, relocated(definition));
    const own = metadata[io].get(schema)?.id;
    if (typeof own !== "string" || root.$ref !== undefined) return relocated(root);
    keep(own, relocated(root));
    return { $ref: home + own };
  };
  const keep = (name: string, definition: JsonSchema): void => {
    const { id: _id, ...rest } = definition;
    const before = found.get(name);
    if (before !== undefined && JSON.stringify(before) !== JSON.stringify(rest)) {
      throw new Error(`two different shapes are named ${name}`);
    }
    found.set(name, rest);
  };
  for (const schema of answered) convert(schema, "output");
  for (const name of found.keys()) outputNames.add(name);
  return {
    input: (schema) => convert(schema, "input"),
    output: (schema) => convert(schema, "output"),
    components: () => Object.fromEntries([...found].sort(([one], [other]) => (one < other ? -1 : 1))),
  };
}

interface Override {
  readonly zodSchema: z.core.$ZodTypes;
  readonly jsonSchema: z.core.JSONSchema.BaseSchema;
}

/** The pattern of a time is longer than it is telling, and its format says it; integers without limits have none. */
function tidy({ jsonSchema: schema }: Override, io: Direction): void {
  if (schema.format === "date-time" || schema.format === "date" || schema.format === "uri")
    delete schema.pattern;
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
  if (io === "output" && schema.additionalProperties === false) delete schema.additionalProperties;
}

function relocated(schema: object): JsonSchema {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/$defs/', `"${home}`)) as JsonSchema;
}
