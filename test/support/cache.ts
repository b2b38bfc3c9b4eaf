import { accessSync, constants, mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";

const clone = join(import.meta.dirname, "../..");

/** Where fetched programs are kept: `.cache` of the clone, else a folder of this user's. */
export function writableCache(): string {
  const ours = join(clone, ".cache");
  try {
    mkdirSync(ours, { recursive: true });
    accessSync(ours, constants.W_OK);
    return ours;
  } catch {
    const other = join(tmpdir(), `deskbridge-cache-${process.getuid?.() ?? 0}`);
    mkdirSync(other, { recursive: true, mode: 0o700 });
    return other;
  }
}

/** Waits for a lock. Held by the kernel for this process, so that one which dies leaves nothing behind. */
export async function lockFile(file: string): Promise<() => void> {
  const database = new DatabaseSync(file, { timeout: 0 });
  for (;;) {
    try {
      database.exec("BEGIN EXCLUSIVE");
      return () => database.close();
    } catch {
      await delay(100);
    }
  }
}
