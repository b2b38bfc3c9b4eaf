import { z } from "zod";
import { datasetNames } from "../model/dataset.ts";
import { eventTypes } from "../model/event.ts";
import { cronExpression, duration, size, timeZone } from "./quantity.ts";

/** What a connection, a flow and an export may be called: it is part of addresses and of names in the queue. */
export const namePattern = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

/** Lanes worked on at a time in one process, when a connection says nothing. */
export const defaultConcurrency = 20;

/** The keys of a connection that are the engine's; all others are its connector's. */
export const connectionKeys = {
  use: z.string().min(1).describe("Name of the connector: a folder of connectors/, or an installed package."),
  poll: z
    .strictObject({
      every: duration({ min: "1s", max: "7d" }).describe("Pause between two polls."),
      skipHistory: z
        .boolean()
        .default(true)
        .describe("On the very first poll start from now. `deskbridge backfill` brings in history."),
      sources: z.array(z.string().min(1)).min(1).optional().describe("Sources to poll; all when absent."),
    })
    .optional()
    .describe("Ask the vendor for changes at intervals, also for those whose webhooks got lost."),
  rateLimit: z
    .strictObject({
      calls: z.int().min(1).max(1_000_000).describe("How many calls the account takes…"),
      per: duration({ min: "1s", max: "1d" }).describe("…in how long."),
    })
    .optional()
    .describe("The budget of calls, shared by all processes; the connector's own when absent."),
  concurrency: z
    .int()
    .min(1)
    .max(500)
    .default(defaultConcurrency)
    .describe("Lanes worked on at a time in one process."),
} as const;

export const connectionSchema = z.strictObject(connectionKeys);

export const serverSchema = z.strictObject({
  host: z.string().min(1).default("127.0.0.1").describe("Address to listen on."),
  port: z.int().min(0).max(65_535).default(8787).describe("Port to listen on; 0 takes any free one."),
  publicUrl: z
    .url({ protocol: /^https?$/ })
    .transform((url) => url.replace(/\/+$/, ""))
    .optional()
    .describe("Where senders reach this server from outside."),
  maxBodyBytes: size({ min: "1kb", max: "50mb" })
    .default(2 * 1024 ** 2)
    .describe("Largest webhook body."),
  maxWaitingAppends: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(2000)
    .describe("Events that may wait for the database before senders are asked to come later."),
  retention: duration({ min: "1h", max: "3650d" })
    .default(30 * 86_400_000)
    .describe("How long finished events are kept."),
  shutdown: duration({ max: "1h" }).default(20_000).describe("How long a shutdown waits for work in flight."),
  logLevel: z.enum(["debug", "info", "warn", "error"]).default("info").describe("The least that is logged."),
});

const connectionName = z.string().min(1).describe("Name of a connection.");

export const flowSchema = z.strictObject({
  on: z.strictObject({
    connection: z
      .union([connectionName, z.array(connectionName).min(1)])
      .describe("The connection, or connections, that events come from."),
    events: z
      .array(z.enum(eventTypes as [string, ...string[]]))
      .min(1)
      .describe("Types of events."),
  }),
  when: z.string().optional().describe("A CEL expression; events for which it is false are skipped."),
  lane: z
    .string()
    .optional()
    .describe("What must stay in order, with {{ }} holes; the event's subject when absent."),
  at: connectionName.optional().describe("The target of operations that name none."),
  onDead: z
    .enum(["hold", "skip"])
    .default("skip")
    .describe(
      "What a dead delivery does to its lane: `hold` keeps what comes after it waiting until somebody retries, edits or discards it; `skip` lets the lane go on.",
    ),
  do: z.array(z.unknown()).min(1).describe("Operations, in order; all go to one target."),
});

/** What a table may be called in a warehouse. */
const tableName = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9_]{0,62}$/, "expected letters, digits and `_`, at most 63, the first a letter");

const policy = (what: string) => z.enum(["keep", "hash", "drop"]).default("keep").describe(what);

const personal = z.strictObject({
  identity: policy("Who people are: names."),
  contact: policy("How they are reached: e-mail addresses, phone numbers."),
  content: policy("What they wrote or what was written of them."),
  hashKey: z
    .string()
    .refine((key) => Buffer.byteLength(key) >= 16, "this is too short; expected 16 bytes at least")
    .optional()
    .describe("The secret that hashes are made with (HMAC-SHA256), 16 bytes at least."),
});

const exportedDataset = z.strictObject({
  name: z.enum(datasetNames).describe("Name of the dataset."),
  table: tableName.optional().describe("Its table in the warehouse; the dataset's name when absent."),
  columns: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe("The columns to export, with those of the key and the day; all when absent."),
  where: z
    .string()
    .optional()
    .describe("A CEL expression over `row`; rows for which it is not true are not in the warehouse."),
});

export const exportSchema = z.strictObject({
  from: connectionName,
  datasets: z
    .array(z.union([z.enum(datasetNames), exportedDataset]))
    .min(1)
    .describe("What to export, such as tickets or messages."),
  to: connectionName,
  schedule: z
    .strictObject({
      cron: cronExpression().describe("When, as a cron expression."),
      timezone: timeZone().default("UTC").describe("IANA time zone of the cron expression."),
    })
    .optional()
    .describe("When it runs; only by hand when absent."),
  personal: personal
    .prefault({})
    .describe("What becomes of personal data, by its class: kept, hashed, or left out."),
  onSchemaChange: z
    .enum(["evolve", "freeze", "fail"])
    .default("evolve")
    .describe(
      "What to do when the warehouse's table lacks columns: add them, leave them out of the export, or stop.",
    ),
  lag: duration({ max: "1d" })
    .optional()
    .describe(
      "Changes younger than this wait for the next run, for desks that show changes late; as the desk needs it when absent.",
    ),
  chunk: z
    .int()
    .min(1)
    .max(10_000_000)
    .optional()
    .describe(
      "Rows after which what was written is published, at the next end of a page; every minute and after ten million rows when absent.",
    ),
  tablePrefix: z
    .string()
    .regex(/^[A-Za-z][A-Za-z0-9_]{0,30}$/, "expected letters, digits and `_`, at most 31, the first a letter")
    .optional()
    .describe("What the names of its tables begin with."),
});

/** The sections of a configuration. */
export const sectionNames = ["connections", "flows", "exports", "desk", "server"] as const;
