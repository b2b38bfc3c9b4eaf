import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { buildSchema, Kind, parse, validate } from "graphql";
import { describe, expect, it } from "vitest";
import { checkQuery } from "../../connectors/shopify/check.ts";
import { fulfillmentOrderQuery, orderQuery } from "../../connectors/shopify/enrich.ts";
import { ordersQuery } from "../../connectors/shopify/source-orders.ts";
import { createStubSchema } from "../support/shopify-schema.ts";

const documents = { checkQuery, fulfillmentOrderQuery, orderQuery, ordersQuery };
const official = join(import.meta.dirname, "../../../shared/specs/shopify-admin-2026-07.graphql");

describe("the queries to Shopify", () => {
  it("parse, each with one operation", () => {
    for (const document of Object.values(documents)) {
      const operations = parse(document).definitions.filter((one) => one.kind === Kind.OPERATION_DEFINITION);
      expect(operations.map((one) => one.operation)).toEqual(["query"]);
    }
  });

  it("are valid by the vendor's own schema where that is at hand, and by the stub's in any case", () => {
    if (!existsSync(official)) console.log(`absent: ${official}`);
    const schemas = existsSync(official)
      ? [createStubSchema(), buildSchema(readFileSync(official, "utf8"))]
      : [createStubSchema()];
    for (const schema of schemas) {
      for (const [name, document] of Object.entries(documents)) {
        const faults = validate(schema, parse(document)).map((fault) => `${name}: ${fault.message}`);
        expect(faults).toEqual([]);
      }
    }
  }, 30_000);

  it("use nothing that the vendor's schema calls deprecated", () => {
    const schema = existsSync(official) ? readFileSync(official, "utf8") : "";
    const used = new Set(
      Object.values(documents).flatMap((document) => document.match(/\b[a-z]\w+\b/g) ?? []),
    );
    expect(used.size).toBeGreaterThan(40);
    for (const type of [
      "Order",
      "Customer",
      "Fulfillment",
      "FulfillmentOrder",
      "LineItem",
      "MailingAddress",
      "Refund",
    ]) {
      const [body = ""] = new RegExp(`^type ${type} [^{]*\\{[\\s\\S]*?^\\}`, "m").exec(schema) ?? [];
      const deprecated = [...body.matchAll(/^ {2}(\w+)(?:\([^)]*\))?: [^\n]*@deprecated/gm)].map(
        (match) => match[1] ?? "",
      );
      const both = new Set(["email", "phone"]);
      expect([type, deprecated.filter((field) => used.has(field) && !both.has(field))]).toEqual([type, []]);
    }
  });
});
