import { celName } from "./expression-type.ts";
import type { ExpressionType, RecordType } from "./expression-type.ts";

/** Where a record keeps the JSON value that it stands for. */
export const rawValue = Symbol("raw value");

/** A JSON object dressed as a CEL record: its fields are converted to CEL values when they are first read. */
export interface RecordValue {
  readonly [rawValue]: Readonly<Record<string, unknown>>;
}

export type RecordClass = new (raw: Readonly<Record<string, unknown>>) => RecordValue;

type Converter = (value: unknown) => unknown;

/** One class for each record type that was asked for. */
export interface RecordClasses {
  /** How values of this type become CEL values, or undefined where JSON values are CEL values already. */
  readonly converter: (type: ExpressionType) => Converter | undefined;
  /** Every class made so far, those that others are built on first. */
  readonly all: () => readonly { readonly type: RecordType; readonly ctor: RecordClass }[];
}

/** Makes classes for record types as they are asked for; the same type gives the same class. */
export function createRecordClasses(): RecordClasses {
  const classes = new Map<RecordType, RecordClass>();

  const classOf = (type: RecordType): RecordClass => {
    const known = classes.get(type);
    if (known) return known;
    const made = defineRecordClass(type, converter);
    classes.set(type, made);
    return made;
  };

  const converter = (type: ExpressionType): Converter | undefined => {
    if (type === "int") return toInt;
    if (typeof type === "string") return undefined;
    if (type.kind === "record") {
      const ctor = classOf(type);
      return (value) => (isObject(value) ? new ctor(value) : value);
    }
    const inner = converter(type.of);
    if (!inner) return undefined;
    if (type.kind === "list") return (value) => (Array.isArray(value) ? value.map(inner) : value);
    return (value) => (isObject(value) ? mapValues(value, inner) : value);
  };

  return { converter, all: () => [...classes].map(([type, ctor]) => ({ type, ctor })) };
}

function defineRecordClass(
  type: RecordType,
  converterOf: (type: ExpressionType) => Converter | undefined,
): RecordClass {
  // The library finds a value's type by its constructor, so that each record type needs a class of its own.
  const made = class implements RecordValue {
    readonly [rawValue]: Readonly<Record<string, unknown>>;
    constructor(raw: Readonly<Record<string, unknown>>) {
      this[rawValue] = raw;
    }
  };
  Object.defineProperty(made, "name", { value: celName(type) });
  for (const [field, fieldType] of Object.entries(type.fields)) {
    const convert = converterOf(fieldType);
    const get = convert ? convertingGetter(field, convert) : plainGetter(field);
    Object.defineProperty(made.prototype, field, { get });
  }
  return made;
}

// A field that is null counts as absent: the canonical model leaves unknown facts out.
function plainGetter(field: string) {
  return function read(this: RecordValue): unknown {
    return this[rawValue][field] ?? undefined;
  };
}

function convertingGetter(field: string, convert: Converter) {
  const slot = Symbol(field);
  return function read(this: RecordValue & Record<symbol, unknown>): unknown {
    const kept = this[slot];
    if (kept !== undefined) return kept;
    const value = this[rawValue][field];
    if (value === undefined || value === null) return undefined;
    return (this[slot] = convert(value));
  };
}

function toInt(value: unknown): unknown {
  return typeof value === "number" && Number.isSafeInteger(value) ? BigInt(value) : value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function mapValues(value: Record<string, unknown>, convert: Converter): Record<string, unknown> {
  const result = Object.create(null) as Record<string, unknown>;
  for (const [key, item] of Object.entries(value)) result[key] = convert(item);
  return result;
}
