import { z } from "zod";
import * as identity from "./identity.ts";
import * as attachment from "./schema-attachment.ts";
import * as batch from "./schema-batch.ts";
import * as change from "./schema-change.ts";
import * as contact from "./schema-contact.ts";
import * as contactWhole from "./schema-contact-whole.ts";
import * as csat from "./schema-csat.ts";
import * as me from "./schema-me.ts";
import * as message from "./schema-message.ts";
import * as metric from "./schema-metric.ts";
import * as order from "./schema-order.ts";
import * as field from "./schema-text.ts";
import * as ticket from "./schema-ticket.ts";
import * as webhook from "./schema-webhook.ts";

/** The modules whose schemas have names in the document: those of the objects that they export. */
const modules: readonly Readonly<Record<string, unknown>>[] = [
  attachment,
  batch,
  change,
  contact,
  contactWhole,
  csat,
  identity,
  me,
  message,
  metric,
  order,
  field,
  ticket,
  webhook,
];

/** The name of each shared shape: `newTicket` of a module is `NewTicket` in the document. Queries have none: they are parameters. */
export function componentNames(): ReadonlyMap<z.core.$ZodType, string> {
  const names = new Map<z.core.$ZodType, string>();
  for (const [name, schema] of modules.flatMap((module) => Object.entries(module))) {
    if (!(schema instanceof z.ZodObject || schema instanceof z.ZodDiscriminatedUnion)) continue;
    if (name.endsWith("Query")) continue;
    names.set(schema, name.charAt(0).toUpperCase() + name.slice(1));
  }
  return names;
}
