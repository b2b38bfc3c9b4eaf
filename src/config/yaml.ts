import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } from "yaml";
import type { Document, Node, Pair, Scalar } from "yaml";
import type { ConfigPosition } from "../flows/flow.ts";
import { join } from "../flows/located.ts";
import type { ConfigProblem, Located, LocatedEntry, LocatedMap } from "../flows/located.ts";
import { offsetsIn } from "./text-position.ts";
import type { Writing } from "./text-position.ts";

/** A file's text as values that know their places. `broken` tells that its syntax is wrong and that nothing more can be said of it. */
export interface ParsedFile {
  readonly root: LocatedMap;
  readonly problems: readonly ConfigProblem[];
  readonly broken: boolean;
}

// What a person writes is far below these; aliases of aliases could grow without bound.
const maxNodes = 50_000;
const maxDepth = 50;

/** Parses YAML 1.2. Duplicate keys, keys that are not strings, `__proto__`, unknown tags and unknown aliases are problems. */
export function parseYaml(file: string, text: string): ParsedFile {
  const lines = new LineCounter();
  const document = parseDocument(maskReferences(text), {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: false,
  });
  const position = (offset: number): ConfigPosition => {
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(1, line), column: Math.max(1, col) };
  };
  const faults = [...document.errors, ...document.warnings].map(({ code, pos, message }) => ({
    position: position(pos[0]),
    path: "",
    message:
      code === "MULTIPLE_DOCS"
        ? "a second document begins here; expected one in a file"
        : unmask(firstLine(message)),
  }));
  const broken = document.errors.length > 0;
  const empty: LocatedMap = { kind: "map", position: position(0), path: "", entries: [] };
  if (broken) return { root: empty, problems: faults, broken };
  const problems: ConfigProblem[] = [...faults];
  const reading: Reading = { document, text, position, problems, count: 0 };
  const node = document.contents ? read(reading, document.contents, "", 0) : undefined;
  if (node?.kind === "map") return { root: node, problems, broken: false };
  if (node && !(node.kind === "scalar" && node.value === null)) {
    const message = "this is not a mapping; expected `connections:`, `flows:`, `exports:` or `server:`";
    problems.push({ position: node.position, path: "", message });
  }
  return { root: empty, problems, broken: false };
}

// In a `{ … }` mapping YAML would take the braces of `${NAME}` for its own. They are hidden from it behind characters that nobody writes, one for
// one, so that every place stays where it is.
const masks = { "{": "\u{E0F0}", "}": "\u{E0F1}" } as const;

function maskReferences(text: string): string {
  if (text.includes(masks["{"]) || text.includes(masks["}"])) return text;
  return text.replace(
    /\$\{[^{}"'\n]*\}/g,
    (reference) => `$${masks["{"]}${reference.slice(2, -1)}${masks["}"]}`,
  );
}

function unmask(text: string): string {
  return text.replaceAll(masks["{"], "{").replaceAll(masks["}"], "}");
}

function firstLine(message: string): string {
  return message.split("\n")[0] ?? message;
}

/** What the reading of one file goes by. */
interface Reading {
  readonly document: Document;
  readonly text: string;
  readonly position: (offset: number) => ConfigPosition;
  readonly problems: ConfigProblem[];
  count: number;
}

function read(reading: Reading, node: Node, path: string, depth: number): Located {
  const start = node.range?.[0] ?? 0;
  const position = reading.position(start);
  reading.count += 1;
  if (reading.count === maxNodes) return refuse(reading, start, path, "the configuration is too large");
  if (reading.count > maxNodes) return nothing(position, path);
  if (depth > maxDepth) return refuse(reading, start, path, `this is nested deeper than ${maxDepth} levels`);
  if (isAlias(node)) {
    const target = node.resolve(reading.document);
    if (target) return read(reading, target, path, depth + 1);
    return refuse(reading, start, path, `there is no anchor \`&${node.source}\` before this alias`);
  }
  if (isMap(node)) {
    const entries = new Map<string, LocatedEntry>();
    for (const pair of node.items) addEntry(reading, entries, readEntry(reading, pair, path, depth));
    return { kind: "map", entries: [...entries.values()], position, path };
  }
  if (isSeq(node)) {
    const items = node.items.map((item, index) => read(reading, item as Node, join(path, index), depth + 1));
    return { kind: "list", items, position, path };
  }
  return isScalar(node) ? readScalar(reading, node, path, start) : nothing(position, path);
}

function addEntry(
  reading: Reading,
  entries: Map<string, LocatedEntry>,
  added: LocatedEntry | undefined,
): void {
  if (!added) return;
  const first = entries.get(added.key);
  if (!first) {
    entries.set(added.key, added);
    return;
  }
  const { line, column } = first.keyPosition;
  const message = `\`${added.key}\` is there already, at ${line}:${column}; expected each key once`;
  reading.problems.push({ position: added.keyPosition, path: added.value.path, message });
}

function readEntry(
  reading: Reading,
  { key, value }: Pair,
  path: string,
  depth: number,
): LocatedEntry | undefined {
  const start = (key as Node | null)?.range?.[0] ?? 0;
  if (!isScalar(key) || typeof key.value !== "string") {
    refuse(reading, start, path, "a key has to be a string; put it in quotes");
    return undefined;
  }
  const name = unmask(key.value);
  if (name === "__proto__") {
    refuse(reading, start, path, "`__proto__` is not accepted as a key");
    return undefined;
  }
  const inner = join(path, name);
  const keyPosition = reading.position(start);
  const located = value ? read(reading, value as Node, inner, depth + 1) : nothing(keyPosition, inner);
  return { key: name, keyPosition, value: located };
}

function readScalar(reading: Reading, node: Scalar, path: string, start: number): Located {
  const { value } = node;
  const position = reading.position(start);
  if (typeof value === "number" || typeof value === "boolean" || value === null) {
    return { kind: "scalar", value, position, path };
  }
  if (typeof value !== "string") {
    return refuse(reading, start, path, "this is no text, number or boolean; expected one of these");
  }
  const text = unmask(value);
  const writing = writingOf(node);
  // Places inside a text are asked for only when something in it is wrong.
  const at = (offset: number): ConfigPosition => {
    const written = reading.text.slice(start, node.range?.[1] ?? start);
    return reading.position(start + (offsetsIn(written, text, writing)[offset] ?? written.length));
  };
  return { kind: "text", text, shown: text, position, path, at };
}

function refuse(reading: Reading, offset: number, path: string, message: string): Located {
  const position = reading.position(offset);
  reading.problems.push({ position, path, message });
  return nothing(position, path);
}

function nothing(position: ConfigPosition, path: string): Located {
  return { kind: "scalar", value: null, position, path };
}

function writingOf({ type }: Scalar): Writing {
  if (type === "QUOTE_SINGLE") return "single";
  if (type === "QUOTE_DOUBLE") return "double";
  return type === "BLOCK_FOLDED" || type === "BLOCK_LITERAL" ? "block" : "plain";
}
