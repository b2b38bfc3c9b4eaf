import { readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import type { Directive, Expression, Statement } from "oxc-parser";
import { parseSync, Visitor } from "oxc-parser";

/** A module of the project as the import rules see it. Paths are relative to the project and use `/`. */
export interface Module {
  readonly path: string;
  readonly text: string;
  /** What it imports in any way (static, dynamic, re-export, `import type`, `import("x").T`); relative ones are resolved to a path. */
  readonly imports: readonly string[];
  /** Whether it reads `process.env`, or takes `env` from `node:process`. */
  readonly readsEnvironment: boolean;
  /** Source of statements that do something, or keep something that can change, when the module is imported. */
  readonly effects: readonly string[];
}

/** Parses one module; throws when the text is not TypeScript. */
export function parseModule(path: string, text: string): Module {
  const { program, errors } = parseSync(path, text);
  const fault = errors[0];
  if (fault !== undefined) throw new Error(`${path}: ${fault.message}`);
  const specifiers = new Set<string>();
  let readsEnvironment = false;
  const add = (source: { readonly value: unknown } | null): void => {
    if (source !== null && typeof source.value === "string") specifiers.add(source.value);
  };
  new Visitor({
    ImportDeclaration: (node) => {
      add(node.source);
      if (/^(node:)?process$/.test(node.source.value)) {
        readsEnvironment ||= node.specifiers.some((one) => one.local.name === "env");
      }
    },
    ExportNamedDeclaration: (node) => add(node.source),
    ExportAllDeclaration: (node) => add(node.source),
    ImportExpression: (node) => {
      if (node.source.type === "Literal") add(node.source);
    },
    TSImportType: (node) => add(node.source),
    MemberExpression: (node) => {
      const isProcess = node.object.type === "Identifier" && node.object.name === "process";
      const name = node.property.type === "Identifier" ? node.property.name : undefined;
      const literal = node.property.type === "Literal" ? node.property.value : undefined;
      if (isProcess && (name === "env" || literal === "env")) readsEnvironment = true;
    },
  }).visit(program);
  const effects = program.body
    .filter((statement) =>
      hasEffect(statement.type === "ExportNamedDeclaration" ? statement.declaration : statement),
    )
    .map((statement) => text.slice(statement.start, statement.end).split("\n", 1)[0] ?? "");
  return { path, text, imports: [...specifiers].map((one) => resolve(path, one)), readsEnvironment, effects };
}

function hasEffect(statement: Directive | Statement | null): boolean {
  if (statement === null) return false;
  if (statement.type === "VariableDeclaration") {
    return statement.kind !== "const" || statement.declarations.some(({ init }) => isEmptyContainer(init));
  }
  if (statement.type === "ExpressionStatement") return !("directive" in statement && statement.directive);
  return /^(For|While|Do|If|Try|Block|Switch|Throw)/.test(statement.type);
}

// A container that starts empty is there to be filled: state of the module.
function isEmptyContainer(init: Expression | null): boolean {
  if (init === null) return false;
  if (init.type === "ArrayExpression") return init.elements.length === 0;
  if (init.type === "ObjectExpression") return init.properties.length === 0;
  if (init.type !== "NewExpression" || init.callee.type !== "Identifier") return false;
  return /^(Weak)?(Map|Set)$|^Array$/.test(init.callee.name) && init.arguments.length === 0;
}

function resolve(from: string, specifier: string): string {
  return specifier.startsWith(".") ? posix.join(posix.dirname(from), specifier) : specifier;
}

/** Every module under the given folders of the project, in path order. */
export function readModules(root: string, folders: readonly string[]): Module[] {
  return folders
    .flatMap((folder) => listFiles(root, folder))
    .filter((path) => path.endsWith(".ts"))
    .map((path) => parseModule(path, readFileSync(join(root, path), "utf8")));
}

/** Paths of all files under a folder of the project, dependencies and data left out. */
export function listFiles(root: string, folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => posix.join(entry.parentPath.slice(root.length + 1).replaceAll("\\", "/"), entry.name))
    .filter((path) => !/(^|\/)(node_modules|fixtures|data)\//.test(path))
    .sort();
}
