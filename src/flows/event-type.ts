import type { z } from "zod";
import { eventData } from "../model/event.ts";
import type { EventType } from "../model/event.ts";
import { createExpressionEnvironment } from "../sdk/expression-environment.ts";
import type { ExpressionEnvironment } from "../sdk/expression-environment.ts";
import type { ExpressionType } from "../sdk/expression-type.ts";
import { definitionOf } from "./schema-walk.ts";

/** Environments for the expressions of flows, one for each form of `event.data`. */
export interface EventEnvironments {
  /** Types with the same form of data share one environment. */
  readonly of: (type: EventType) => ExpressionEnvironment;
}

/** Makes environments as they are asked for, which takes a millisecond or two each: one set serves a whole configuration. */
export function createEventEnvironments(): EventEnvironments {
  const made = new Map<z.ZodType, ExpressionEnvironment>();
  return {
    of: (type) => {
      const schema = eventData[type];
      const known = made.get(schema);
      if (known) return known;
      const environment = createExpressionEnvironment({ event: eventRecord(schema) });
      made.set(schema, environment);
      return environment;
    },
  };
}

function eventRecord(data: z.ZodType): ExpressionType {
  return {
    kind: "record",
    name: "event",
    fields: {
      id: "string",
      source: "string",
      type: "string",
      subject: "string",
      time: "string",
      data: typeOf(data, "event.data"),
      raw: "dyn",
    },
  };
}

/** The type of what a schema of the canonical model describes. Whatever expressions have no type for is `dyn`. */
export function typeOf(schema: z.ZodType, name: string): ExpressionType {
  const { type, innerType, element, valueType, shape, format } = definitionOf(schema);
  if (innerType) return typeOf(innerType, name);
  if (type === "string" || type === "enum") return "string";
  if (type === "boolean") return "bool";
  if (type === "number") return format === "safeint" ? "int" : "double";
  if (element) return { kind: "list", of: typeOf(element, `${name}[]`) };
  if (valueType) return { kind: "map", of: typeOf(valueType, `${name}{}`) };
  if (!shape) return "dyn";
  const fields = Object.entries(shape).map(([key, field]) => [key, typeOf(field, `${name}.${key}`)]);
  return { kind: "record", name, fields: Object.fromEntries(fields) as Record<string, ExpressionType> };
}
