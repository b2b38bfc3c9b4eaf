import { chmod, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

/** Where a demo keeps what it makes. */
export interface DataDir {
  readonly path: string;
  /** Removes a temporary one; leaves one that was named alone. */
  readonly remove: () => Promise<void>;
}

/** The folder named, or a fresh temporary one. */
export async function openDataDir(named: string | undefined): Promise<DataDir> {
  if (named !== undefined) {
    const path = resolve(named);
    await mkdir(path, { recursive: true });
    return { path, remove: async () => undefined };
  }
  const path = await mkdtemp(join(tmpdir(), "deskbridge-demo-"));
  // Started as root, the database runs as another account, which must be able to pass through.
  await chmod(path, 0o711);
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}
