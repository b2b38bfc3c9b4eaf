import type { z } from "zod";
import type { ConfigPosition } from "../flows/flow.ts";
import type { ConfigProblem, Located, LocatedText } from "../flows/located.ts";
import { alternatives, definitionOf, stepInto } from "../flows/schema-walk.ts";
import { splitHoles } from "../sdk/expression-text.ts";

/** Where `${NAME}` and `${file:…}` get their values. */
export interface SecretSource {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The text of a secret file, or undefined when it can't be read. */
  readonly readFile: (path: string) => string | undefined;
  /** Stands in for what has no value and no default, to check a configuration where its secrets are not. */
  readonly placeholder?: string | undefined;
}

/** Puts values in the place of `${…}` references and remembers them, so that they can be kept out of logs. */
export interface SecretResolver {
  /**
   * The same value with every reference resolved. A value that is one reference becomes a number or a boolean where the schemas want one.
   * With `escapeHoles` a `{{` in a secret stays text. Holes are left alone.
   */
  readonly resolve: (node: Located, schemas: readonly z.ZodType[], escapeHoles: boolean) => Located;
  /** The values put in so far. */
  readonly secrets: () => readonly string[];
}

const reference = /\$\$\{|\$\{([^}]*)(\}?)/g;
const environmentReference = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s;

/** What is missing or malformed goes to `problems`; no problem holds a value. */
export function createSecretResolver(source: SecretSource, problems: ConfigProblem[]): SecretResolver {
  const resolving: Resolving = { source, problems, found: new Set() };
  return {
    resolve: (node, schemas, escapeHoles) => {
      return resolve(resolving, node, schemas.flatMap(alternatives), escapeHoles);
    },
    secrets: () => [...resolving.found],
  };
}

interface Resolving {
  readonly source: SecretSource;
  readonly problems: ConfigProblem[];
  readonly found: Set<string>;
}

function resolve(
  resolving: Resolving,
  node: Located,
  schemas: readonly z.ZodType[],
  escapeHoles: boolean,
): Located {
  if (node.kind === "scalar") return node;
  if (node.kind === "text") {
    if (!node.text.includes("${")) return node;
    return typedValue(node, resolveText(resolving, node, escapeHoles), schemas);
  }
  if (node.kind === "list") {
    const inner = schemas.flatMap((schema) => stepInto(schema, 0));
    return { ...node, items: node.items.map((item) => resolve(resolving, item, inner, escapeHoles)) };
  }
  const entries = node.entries.map((entry) => {
    const inner = schemas.flatMap((schema) => stepInto(schema, entry.key));
    return { ...entry, value: resolve(resolving, entry.value, inner, escapeHoles) };
  });
  return { ...node, entries };
}

function resolveText(resolving: Resolving, node: LocatedText, escapeHoles: boolean): LocatedText {
  const pieces: Piece[] = [];
  let unresolved = false;
  for (const { kind, text, offset } of partsOf(node.text)) {
    if (kind === "hole") {
      pieces.push({ text: `{{${text}}}`, offset: offset - 2, moves: true });
      continue;
    }
    let end = 0;
    for (const match of text.matchAll(reference)) {
      const start = offset + match.index;
      pieces.push({ text: text.slice(end, match.index), offset: offset + end, moves: true });
      end = match.index + match[0].length;
      const result: Resolved =
        match[0] === "$${" ? { value: "${" } : valueOf(resolving, match[1] ?? "", match[2] === "}");
      if ("problem" in result) {
        unresolved = true;
        resolving.problems.push({ position: node.at(start), path: node.path, message: result.problem });
      } else {
        const value = escapeHoles ? result.value.replaceAll("{{", '{{ "{{" }}') : result.value;
        pieces.push({ text: value, offset: start, moves: false });
        unresolved ||= result.unresolved === true;
      }
    }
    pieces.push({ text: text.slice(end), offset: offset + end, moves: true });
  }
  return { ...joinPieces(node, pieces), ...(unresolved && { unresolved }) };
}

const malformed =
  "`${` starts a reference; expected `${NAME}`, `${NAME:-default}` or `${file:/path}`, or `$${` for the characters themselves";

type Resolved = { readonly value: string; readonly unresolved?: boolean } | { readonly problem: string };

function valueOf({ source, found }: Resolving, inside: string, closed: boolean): Resolved {
  if (!closed) return { problem: malformed };
  if (inside.startsWith("file:/")) {
    const path = inside.slice("file:".length);
    const value = source.readFile(path)?.replace(/\r?\n$/, "") ?? "";
    if (value === "") return missing(source, `the secret file ${path} is empty or can't be read`);
    found.add(value);
    return { value };
  }
  const [match, name = "", fallback] = environmentReference.exec(inside) ?? [];
  if (match === undefined) return { problem: malformed };
  const value = (Object.hasOwn(source.env, name) ? source.env[name] : undefined) ?? "";
  if (value !== "") {
    found.add(value);
    return { value };
  }
  return fallback === undefined
    ? missing(source, `the environment variable ${name} is not set`)
    : { value: fallback };
}

function missing({ placeholder }: SecretSource, problem: string): Resolved {
  return placeholder === undefined ? { problem } : { value: placeholder, unresolved: true };
}

// A text whose holes don't close is no template: in a secret of a connection it is just characters.
function partsOf(text: string): readonly { kind: "literal" | "hole"; text: string; offset: number }[] {
  const split = splitHoles(text);
  return split.ok ? split.parts : [{ kind: "literal", text, offset: 0 }];
}

interface Piece {
  readonly text: string;
  /** Where it begins in the text as it is written. */
  readonly offset: number;
  /** False for a value put in: all its characters stand where the reference begins. */
  readonly moves: boolean;
}

function joinPieces(node: LocatedText, pieces: readonly Piece[]): LocatedText {
  const at = (offset: number): ConfigPosition => {
    let start = 0;
    for (const piece of pieces) {
      if (offset < start + piece.text.length)
        return node.at(piece.offset + (piece.moves ? offset - start : 0));
      start += piece.text.length;
    }
    return node.at(node.text.length);
  };
  return { ...node, text: pieces.map((piece) => piece.text).join(""), at };
}

function typedValue(written: LocatedText, resolved: LocatedText, schemas: readonly z.ZodType[]): Located {
  if (written.text === resolved.text || !/^\$\{[^}]*\}$/.test(written.text)) return resolved;
  const wanted = new Set(schemas.map((schema) => definitionOf(schema).type));
  const { position, path } = written;
  if (wanted.has("string") || wanted.has("enum")) return resolved;
  const number = Number(resolved.text);
  if (wanted.has("number") && resolved.text.trim() !== "" && Number.isFinite(number)) {
    return { kind: "scalar", value: number, position, path };
  }
  if (wanted.has("boolean") && /^(true|false)$/.test(resolved.text)) {
    return { kind: "scalar", value: resolved.text === "true", position, path };
  }
  return resolved;
}
