/**
 * The type of a variable or field as expressions see it. `dyn` is any JSON value, checked when the expression runs; its numbers are doubles.
 * `int` is declared for fields that hold whole numbers, which CEL keeps apart from doubles.
 */
export type ExpressionType = "dyn" | "string" | "int" | "double" | "bool" | ListType | MapType | RecordType;

export interface ListType {
  readonly kind: "list";
  readonly of: ExpressionType;
}

/** An object with any keys. */
export interface MapType {
  readonly kind: "map";
  readonly of: ExpressionType;
}

/** An object with known fields. The name is shown in error messages and is unique within one environment. */
export interface RecordType {
  readonly kind: "record";
  readonly name: string;
  readonly fields: Readonly<Record<string, ExpressionType>>;
}

/** The name of a type in CEL. */
export function celName(type: ExpressionType): string {
  if (typeof type === "string") return type;
  if (type.kind === "list") return `list<${celName(type.of)}>`;
  if (type.kind === "map") return `map<string, ${celName(type.of)}>`;
  return type.name;
}
