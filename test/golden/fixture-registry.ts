import { z } from "zod";
import { AppError } from "../../src/errors.ts";
import type { Registry } from "../../src/registry/registry.ts";
import type { ConnectorDefinition } from "../../src/sdk/connector.ts";
import { defineConnector } from "../../src/sdk/connector.ts";
import { createExpressionEnvironment } from "../../src/sdk/expression-environment.ts";
import { expressionText, templateValue } from "../../src/sdk/expression-schema.ts";
import { didYouMean } from "../../src/sdk/nearest-name.ts";

const secret = z.string().min(8);

const shop = defineConnector({
  name: "shop",
  description: "A made-up shop.",
  config: z.strictObject({
    shop: z.string().regex(/^[a-z]+\.example$/),
    region: z
      .string()
      .regex(/^[a-z]{2}$/, "two letters such as eu are expected")
      .optional(),
    clientSecret: z.union([secret, z.strictObject({ current: secret, previous: secret.optional() })]),
    apiVersion: z.enum(["2026-04", "2026-07"]).optional(),
    toleranceSeconds: z.int().min(1).optional(),
    sandbox: z.boolean().default(false),
    note: z
      .string()
      .superRefine((text, context) => {
        if (text.startsWith("bad")) context.addIssue({ code: "custom", message: `\`${text}\` is refused` });
      })
      .optional(),
  }),
  open: () => ({}),
});

const desk = defineConnector({
  name: "desk",
  description: "A made-up desk.",
  config: z.strictObject({ url: z.url().optional(), apiKey: z.string().optional() }),
  open: () => ({}),
});

const body = createExpressionEnvironment({ body: "dyn" });

const hook = defineConnector({
  name: "hook",
  description: "Any sender.",
  config: z.strictObject({
    verify: z.discriminatedUnion("scheme", [
      z.strictObject({ scheme: z.literal("hmac"), secret, header: z.string() }),
      z.strictObject({ scheme: z.literal("none") }),
    ]),
    events: z.array(
      z.strictObject({ when: expressionText(body, ["bool"]).optional(), data: templateValue(body) }),
    ),
  }),
  open: () => ({}),
});

const definitions: Readonly<Record<string, ConnectorDefinition>> = { shop, desk, hook };

/** Three made-up connectors: `shop`, `desk`, `hook`. */
export const fixtureRegistry: Registry = {
  names: () => Promise.resolve(Object.keys(definitions)),
  get: (name) => {
    const known = Object.keys(definitions);
    const definition = definitions[name];
    if (definition) return Promise.resolve(definition);
    return Promise.reject(
      new AppError(
        "connector_unknown",
        `There is no connector \`${name}\`; installed are ${known.join(", ")}.${didYouMean(name, known)}`,
      ),
    );
  },
};

/** What `${…}` references of the fixtures are resolved from. */
export const fixtureSecrets = {
  env: {
    SHOP_SECRET: "shop-secret-value",
    PORT: "9000",
    EMPTY: "",
    WORD: "abc",
    BAD: "bad-value-of-a-secret",
  },
  readFile: (path: string) => (path === "/run/secrets/shop" ? "file-secret-value\n" : undefined),
};
