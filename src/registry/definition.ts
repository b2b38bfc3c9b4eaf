import { z } from "zod";
import { AppError } from "../errors.ts";
import type { ConnectorDefinition } from "../sdk/connector.ts";

/** What the name of an installed connector's package begins with. */
export const packagePrefix = "deskbridge-connector-";

const shape = z.object({
  name: z.string().min(1),
  description: z.string().min(1),
  config: z.custom(isSchema, "expected a zod schema"),
  open: z.custom((value) => typeof value === "function", "expected a function"),
});

/** A module's default export as a connector, or `connector_invalid` with what is wrong with it. */
export function checkDefinition(name: string, exported: unknown): ConnectorDefinition {
  const result = shape.safeParse(exported);
  if (!result.success) {
    const list = result.error.issues.map(
      ({ path, message }) => `${path.join(".") || "default export"}: ${message}`,
    );
    throw invalid(name, list.join("; "));
  }
  const definition = exported as ConnectorDefinition;
  const base = name.replace(/^@[^/]+\//, "").replace(packagePrefix, "");
  if (base.startsWith("_") || base === definition.name) return definition;
  throw invalid(name, `it calls itself \`${definition.name}\``);
}

// Seen by its form: a package may bring a copy of zod of its own.
function isSchema(value: unknown): boolean {
  return typeof value === "object" && value !== null && "_zod" in value && "safeParse" in value;
}

function invalid(name: string, reason: string): AppError {
  return new AppError(
    "connector_invalid",
    `The connector \`${name}\` does not export the result of \`defineConnector\` as its default: ${reason}.`,
    { details: { name } },
  );
}
