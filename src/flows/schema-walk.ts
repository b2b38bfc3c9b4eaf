import type { z } from "zod";

/** The parts of zod's definitions that are read here. */
interface SchemaDef {
  readonly type: string;
  readonly innerType?: z.ZodType;
  readonly element?: z.ZodType;
  readonly valueType?: z.ZodType;
  readonly in?: z.ZodType;
  readonly getter?: () => z.ZodType;
  readonly options?: readonly z.ZodType[];
  readonly shape?: Readonly<Record<string, z.ZodType>>;
  readonly format?: string;
}

export function definitionOf(schema: z.ZodType): SchemaDef {
  return (schema as unknown as { def: SchemaDef }).def;
}

/** A schema without what is wrapped around it: optional, default, transformation. */
export function unwrap(schema: z.ZodType): z.ZodType {
  const { innerType, type, in: input, getter } = definitionOf(schema);
  if (innerType) return unwrap(innerType);
  if (type === "pipe" && input) return unwrap(input);
  if (type === "lazy" && getter) return unwrap(getter());
  return schema;
}

/** The schemas that a value at this path may follow; several below a union, none where the schema knows no such path. */
export function schemasAt(schema: z.ZodType, path: readonly PropertyKey[]): readonly z.ZodType[] {
  let current = alternatives(schema);
  for (const step of path) current = current.flatMap((one) => stepInto(one, step));
  return current;
}

/** The schemas of what lies under a key or an index of a value of this schema. */
export function stepInto(schema: z.ZodType, step: PropertyKey): readonly z.ZodType[] {
  const { shape, element, valueType } = definitionOf(schema);
  const next = shape ? shape[String(step)] : (element ?? valueType);
  return next ? alternatives(next) : [];
}

/** A schema, or the members of the union that it is. */
export function alternatives(schema: z.ZodType): readonly z.ZodType[] {
  const plain = unwrap(schema);
  const { options } = definitionOf(plain);
  return options ? options.flatMap(alternatives) : [plain];
}

/** The keys that an object at this path may have. */
export function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): readonly string[] {
  const keys = schemasAt(schema, path).flatMap((one) => Object.keys(definitionOf(one).shape ?? {}));
  return [...new Set(keys)];
}
