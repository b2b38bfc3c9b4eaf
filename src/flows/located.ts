import type { ConfigPosition } from "./flow.ts";

interface LocatedBase {
  readonly position: ConfigPosition;
  /** The way to it from the top of the configuration, such as `flows.late.do[0].ticket.open.key`. */
  readonly path: string;
}

/** A text of the configuration. `at` gives the place in the file of a character of it. */
export interface LocatedText extends LocatedBase {
  readonly kind: "text";
  readonly text: string;
  /** The text as it is written, for messages: without the secrets that `text` may hold by now. */
  readonly shown: string;
  /** True when a reference in it could not be resolved; that has been said, so nothing else is said of the text. */
  readonly unresolved?: boolean;
  readonly at: (offset: number) => ConfigPosition;
}

export interface LocatedScalar extends LocatedBase {
  readonly kind: "scalar";
  readonly value: number | boolean | null;
}

export interface LocatedList extends LocatedBase {
  readonly kind: "list";
  readonly items: readonly Located[];
}

export interface LocatedEntry {
  readonly key: string;
  readonly keyPosition: ConfigPosition;
  readonly value: Located;
}

/** A mapping; its keys are unique and none is `__proto__`. */
export interface LocatedMap extends LocatedBase {
  readonly kind: "map";
  readonly entries: readonly LocatedEntry[];
}

/** A value of the configuration that knows where it stands. */
export type Located = LocatedText | LocatedScalar | LocatedList | LocatedMap;

/** One thing wrong with the configuration: where, and what was found and expected. Holds no secret value. */
export interface ConfigProblem {
  readonly position: ConfigPosition;
  readonly path: string;
  readonly message: string;
}

/** `file:line:column path — message`. */
export function formatProblem({ position, path, message }: ConfigProblem): string {
  const place = `${position.file}:${position.line}:${position.column}`;
  return path === "" ? `${place} — ${message}` : `${place} ${path} — ${message}`;
}

/** The value without its positions. */
export function plainOf(node: Located): unknown {
  if (node.kind === "text") return node.text;
  if (node.kind === "scalar") return node.value;
  if (node.kind === "list") return node.items.map(plainOf);
  return Object.fromEntries(node.entries.map(({ key, value }) => [key, plainOf(value)]));
}

export function entryOf(node: Located | undefined, key: string): LocatedEntry | undefined {
  return node?.kind === "map" ? node.entries.find((entry) => entry.key === key) : undefined;
}

export function valueOf(node: Located | undefined, key: string): Located | undefined {
  return entryOf(node, key)?.value;
}

/** The node that a path of keys and indexes leads to; `rest` is what of the path is not there. */
export function follow(
  root: Located,
  path: readonly PropertyKey[],
): { readonly node: Located; readonly rest: readonly PropertyKey[] } {
  let node = root;
  for (const [index, step] of path.entries()) {
    const next = node.kind === "list" ? node.items[Number(step)] : valueOf(node, String(step));
    if (!next) return { node, rest: path.slice(index) };
    node = next;
  }
  return { node, rest: [] };
}

/** A path with a further key or index. */
export function join(path: string, step: PropertyKey): string {
  if (typeof step === "number") return `${path}[${step}]`;
  return path === "" ? String(step) : `${path}.${String(step)}`;
}

/** What a value is, in words: "a number", "a list". */
export function kindInWords(node: Located): string {
  if (node.kind === "text") return "a string";
  if (node.kind === "list") return "a list";
  if (node.kind === "map") return "a mapping";
  if (node.value === null) return "nothing";
  return typeof node.value === "number" ? "a number" : "a boolean";
}
