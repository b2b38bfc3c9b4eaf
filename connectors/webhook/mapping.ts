import { createHash } from "node:crypto";
import {
  AppError,
  compileExpression,
  compileTemplate,
  createExpressionEnvironment,
  isoTime,
  parseJsonBody,
  parseTimestamp,
} from "deskbridge/sdk";
import type { Bindings, EventInput, EventType, Expression, Template, WebhookRequest } from "deskbridge/sdk";
import { fitData } from "./event-data.ts";

/** What the expressions of a mapping may name. All of it comes from the sender, so nothing of its form is known. */
export const expressions = createExpressionEnvironment({
  body: "dyn",
  item: "dyn",
  headers: "dyn",
  query: "dyn",
});

/** One entry of `events` as it is configured. */
export interface MappingEntry {
  readonly when?: string | undefined;
  readonly type: EventType;
  readonly id?: unknown;
  readonly subject: unknown;
  readonly time?: unknown;
  readonly data: unknown;
}

interface CompiledEntry {
  readonly name: string;
  readonly type: EventType;
  readonly when: Expression | undefined;
  readonly id: Template | undefined;
  readonly subject: Template;
  readonly time: Template | undefined;
  readonly data: Template;
}

/** Turns a verified request into events. Throws `webhook_malformed` with the path of the entry that failed; nothing is half mapped. */
export type Mapper = (request: WebhookRequest) => readonly EventInput[];

/** Compiles a configured mapping once. */
export function createMapper(batch: string | undefined, entries: readonly MappingEntry[]): Mapper {
  const list = batch === undefined ? undefined : compileExpression(batch, expressions);
  const compiled = entries.map(compileEntry);
  return (request) => {
    const body = parseJsonBody(request.body);
    const named = { body, headers: request.headers, query: request.query };
    const items = list === undefined ? [body] : itemsOf(list, expressions.bind({ ...named, item: null }));
    const digest = createHash("sha256").update(request.body).digest("hex");
    return items.flatMap((item, index) => {
      const bindings = expressions.bind({ ...named, item });
      const fallbackId = items.length === 1 ? `sha256-${digest}` : `sha256-${digest}-${index}`;
      const events = compiled.flatMap((entry) =>
        mapEntry(entry, bindings, { fallbackId, item, receivedAt: request.receivedAt }),
      );
      return distinct(events);
    });
  };
}

function compileEntry(entry: MappingEntry, index: number): CompiledEntry {
  const optional = (value: unknown): Template | undefined =>
    value === undefined ? undefined : compileTemplate(value, expressions);
  return {
    name: `events[${index}]`,
    type: entry.type,
    when: entry.when === undefined ? undefined : compileExpression(entry.when, expressions),
    id: optional(entry.id),
    subject: compileTemplate(entry.subject, expressions),
    time: optional(entry.time),
    data: compileTemplate(entry.data, expressions),
  };
}

function itemsOf(list: Expression, bindings: Bindings): readonly unknown[] {
  const items = at("batch", () => list.evaluate(bindings));
  if (Array.isArray(items)) return items as readonly unknown[];
  throw malformed("batch", "it does not give a list");
}

interface Item {
  readonly fallbackId: string;
  readonly item: unknown;
  readonly receivedAt: number;
}

function mapEntry(
  entry: CompiledEntry,
  bindings: Bindings,
  { fallbackId, item, receivedAt }: Item,
): EventInput[] {
  const { name, type } = entry;
  const passes = entry.when === undefined ? true : at(`${name}.when`, () => entry.when?.evaluate(bindings));
  if (passes !== true && passes !== false) throw malformed(`${name}.when`, "it gives neither true nor false");
  if (!passes) return [];
  const id = entry.id === undefined ? fallbackId : textOf(`${name}.id`, entry.id, bindings);
  const subject = textOf(`${name}.subject`, entry.subject, bindings);
  if (!/^[^/\s]+\/\S+$/.test(subject)) throw malformed(`${name}.subject`, "it is not of the form kind/id");
  const time = entry.time === undefined ? isoTime(receivedAt) : timeOf(`${name}.time`, entry.time, bindings);
  const fitted = fitData(
    type,
    at(`${name}.data`, () => entry.data.evaluate(bindings)),
  );
  if (!fitted.ok)
    throw malformed([`${name}.data`, ...fitted.problem.path.map(String)].join("."), fitted.problem.message);
  return [{ id, type, subject, time, data: fitted.data, raw: item } as EventInput];
}

function textOf(path: string, template: Template, bindings: Bindings): string {
  const value = at(path, () => template.evaluate(bindings));
  const text = typeof value === "number" ? String(value) : value;
  if (typeof text === "string" && /^\S(?:.{0,200}\S)?$/.test(text)) return text;
  throw malformed(path, "it does not give a text of up to 200 characters");
}

function timeOf(path: string, template: Template, bindings: Bindings): string {
  const value = at(path, () => template.evaluate(bindings));
  const time = parseTimestamp(typeof value === "number" ? String(Math.trunc(value)) : String(value));
  if (time !== undefined) return isoTime(time);
  throw malformed(path, "it does not give a time (RFC 3339, or seconds since 1970)");
}

// Two events of one item under one id would be taken for one: the later is named after its type as well.
function distinct(events: readonly EventInput[]): EventInput[] {
  const taken = new Set<string>();
  return events.map((event, index) => {
    const id =
      [event.id, `${event.id}:${event.type}`, `${event.id}:${event.type}:${index}`].find(
        (one) => !taken.has(one),
      ) ?? event.id;
    taken.add(id);
    return { ...event, id };
  });
}

function at<T>(path: string, evaluate: () => T): T {
  try {
    return evaluate();
  } catch (error) {
    if (error instanceof AppError) throw malformed(path, error.message);
    throw error;
  }
}

function malformed(path: string, reason: string): AppError {
  return new AppError("webhook_malformed", `The mapping ${path} does not fit the request: ${reason}`, {
    details: { path },
  });
}
