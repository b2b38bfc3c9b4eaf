import { AppError } from "../errors.ts";

const prefixes = {
  ticket: "tkt",
  message: "msg",
  contact: "con",
  identity: "idn",
  order: "ord",
  key: "key",
  webhook: "whk",
  delivery: "whd",
  attachment: "att",
  "client token": "ctk",
} as const;

/** The kinds of objects that have ids of the form `tkt_42`. */
export type ObjectKind = keyof typeof prefixes;

/** The number in an id of that kind, undefined when it is not one. */
export function readObjectId(kind: ObjectKind, id: string): number | undefined {
  const prefix = `${prefixes[kind]}_`;
  const digits = id.startsWith(prefix) ? id.slice(prefix.length) : "";
  return /^[1-9]\d{0,14}$/.test(digits) ? Number(digits) : undefined;
}

/** The number in an id of an address; throws `not_found` when it is not an id of that kind. */
export function parseObjectId(kind: ObjectKind, id: string): number {
  const number = readObjectId(kind, id);
  if (number === undefined) throw new AppError("not_found", `there is no ${kind} of this id`);
  return number;
}

export function formatObjectId(kind: ObjectKind, number: number): string {
  return `${prefixes[kind]}_${number}`;
}
