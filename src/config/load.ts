import { readFileSync } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { AppError } from "../errors.ts";
import type { Registry } from "../registry/registry.ts";
import { parseConfig } from "./parse.ts";
import type { ConfigResult, ConfigText } from "./parse.ts";

interface LoadOptions {
  /** A YAML file, or a folder whose `.yaml` and `.yml` files are read in the order of their names. */
  readonly path: string;
  readonly registry: Registry;
  /** Where `${NAME}` is looked up; the environment of the process when absent. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Stands in for secrets that are missing, which are problems otherwise. */
  readonly placeholder?: string | undefined;
}

/**
 * Reads and checks a configuration. All problems come at once; a path that can't be read throws `config_unreadable`. To reload, load again:
 * nothing is kept between two calls.
 */
export async function loadConfig(options: LoadOptions): Promise<ConfigResult> {
  const { path, registry, env = process.env, placeholder } = options;
  return parseConfig(await readTexts(path), registry, { env, readFile: readSecretFile, placeholder });
}

async function readTexts(path: string): Promise<ConfigText[]> {
  try {
    const files = (await stat(path)).isDirectory() ? await filesIn(path) : [path];
    return await Promise.all(files.map(async (file) => ({ file, text: await readFile(file, "utf8") })));
  } catch (error) {
    if (error instanceof AppError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    throw new AppError(
      "config_unreadable",
      `The configuration ${path} can't be read (${code ?? "unknown fault"}).`,
      {
        cause: error,
        details: { path },
      },
    );
  }
}

async function filesIn(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => /\.ya?ml$/.test(name) && !name.startsWith("."));
  if (names.length > 0) return names.toSorted().map((name) => join(folder, name));
  throw new AppError("config_unreadable", `The folder ${folder} has no .yaml or .yml file.`, {
    details: { path: folder },
  });
}

// Read at once and whole: secrets are short, and a configuration is loaded seldom.
function readSecretFile(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
