import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { createRequire, isBuiltin } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { AppError } from "../errors.ts";
import type { ConnectorDefinition } from "../sdk/connector.ts";
import { didYouMean } from "../sdk/nearest-name.ts";
import { checkDefinition, packagePrefix } from "./definition.ts";

interface RegistryOptions {
  /** The folder with a folder a connector. */
  readonly connectorsDir: string;
  /** Where installed packages are looked up from; the folder above `connectorsDir` when absent. */
  readonly packagesFrom?: string;
}

/** Finds connectors by the name in `use:`. A connector is imported when it is first asked for. */
export interface Registry {
  /** Names that `use:` may have, in order: the project's own connectors and installed `deskbridge-connector-*` packages. */
  readonly names: () => Promise<readonly string[]>;
  /** Throws `connector_unknown` with the nearest name, or `connector_invalid` when the module is not a connector. */
  readonly get: (name: string) => Promise<ConnectorDefinition>;
}

const validName = /^(@[a-z0-9][\w.-]*\/)?[a-z0-9_][\w.-]*$/i;

/** Opens a registry. Reads nothing before it is asked. */
export function openRegistry(options: RegistryOptions): Registry {
  const { connectorsDir, packagesFrom = dirname(connectorsDir) } = options;
  const asked = new Map<string, Promise<ConnectorDefinition>>();

  const names = async (): Promise<readonly string[]> => {
    const own = (await foldersIn(connectorsDir)).filter(
      (name) => !name.startsWith("_") && folderEntry(connectorsDir, name) !== undefined,
    );
    const installed = (await foldersIn(join(packagesFrom, "node_modules")))
      .filter((name) => name.startsWith(packagePrefix))
      .map((name) => name.slice(packagePrefix.length));
    return [...new Set([...own, ...installed])].toSorted();
  };

  const load = async (name: string): Promise<ConnectorDefinition> => {
    const location = validName.test(name) ? locate(name, connectorsDir, packagesFrom) : undefined;
    if (location === undefined) {
      const known = await names();
      throw new AppError(
        "connector_unknown",
        `There is no connector \`${name}\`; installed are ${known.join(", ") || "none"}.${didYouMean(name, known)}`,
        { details: { name } },
      );
    }
    return checkDefinition(name, await importDefault(name, location));
  };

  return {
    names,
    get: (name) => {
      const known = asked.get(name);
      if (known) return known;
      const loading = load(name);
      asked.set(name, loading);
      // What failed is looked up anew next time: the package may be installed by then.
      loading.catch(() => asked.delete(name));
      return loading;
    },
  };
}

function locate(name: string, connectorsDir: string, packagesFrom: string): string | undefined {
  const own = name.includes("/") ? undefined : folderEntry(connectorsDir, name);
  if (own !== undefined) return own;
  const require = createRequire(join(packagesFrom, "package.json"));
  for (const candidate of [`${packagePrefix}${name}`, name]) {
    if (isBuiltin(candidate) || (candidate !== name && name.includes("/"))) continue;
    const found =
      resolved(() => require.resolve(candidate)) ??
      // A package that can only be imported is not seen by the way of `require`.
      resolved(() => fileURLToPath(import.meta.resolve(candidate)));
    if (found !== undefined) return found;
  }
  return undefined;
}

function resolved(resolve: () => string): string | undefined {
  try {
    const path = resolve();
    return existsSync(path) ? path : undefined;
  } catch {
    return undefined;
  }
}

// A published copy is compiled, a clone is not.
function folderEntry(connectorsDir: string, name: string): string | undefined {
  return ["index.ts", "index.js"].map((file) => join(connectorsDir, name, file)).find(existsSync);
}

async function foldersIn(path: string): Promise<string[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    return entries
      .filter((entry) => !entry.isFile() && !entry.name.startsWith("."))
      .map((entry) => entry.name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

async function importDefault(name: string, path: string): Promise<unknown> {
  try {
    const module = (await import(pathToFileURL(path).href)) as { readonly default?: unknown };
    return module.default;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new AppError("connector_invalid", `The connector \`${name}\` can't be imported: ${reason}`, {
      cause: error,
      details: { name },
    });
  }
}
