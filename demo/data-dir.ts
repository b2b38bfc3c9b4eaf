import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

/** Where a demo keeps what it makes. */
export interface DataDir {
  readonly path: string;
  readonly isKept: boolean;
  /** Removes a temporary one; leaves one that is kept alone. */
  readonly remove: () => Promise<void>;
}

/** Where `deskbridge` looks for its data unless told otherwise. */
const usualFolder = "data";
/** Tells a folder that demos made from one that holds somebody's own data. */
const markFile = ".demo";

/**
 * The folder named; else the usual one, so that `deskbridge` finds what the demo made. Where that one holds data that is no demo's, a temporary folder: a
 * demo never mixes with them.
 */
export async function openDataDir(named: string | undefined): Promise<DataDir> {
  if (named !== undefined) {
    const path = resolve(named);
    await mkdir(path, { recursive: true });
    return { path, isKept: true, remove: async () => undefined };
  }
  const usual = resolve(usualFolder);
  const held: readonly string[] = await readdir(usual).catch(() => []);
  if (held.length === 0 || held.includes(markFile)) {
    await mkdir(usual, { recursive: true });
    await writeFile(join(usual, markFile), "Made by the demo. Remove this folder to begin anew.\n");
    return { path: usual, isKept: true, remove: async () => undefined };
  }
  const path = await mkdtemp(join(tmpdir(), "deskbridge-demo-"));
  // Started as root, the database runs as another account, which must be able to pass through.
  await chmod(path, 0o711);
  return { path, isKept: false, remove: () => rm(path, { recursive: true, force: true }) };
}
