import { open, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { AppError } from "../../errors.ts";

const fullCodes: ReadonlySet<string | undefined> = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);
const deniedCodes: ReadonlySet<string | undefined> = new Set(["EACCES", "EPERM", "EROFS"]);
/** Something else is at the path, or nothing can be: another try would find the same. */
const blockedCodes: ReadonlySet<string | undefined> = new Set([
  "EEXIST",
  "EISDIR",
  "ELOOP",
  "ENAMETOOLONG",
  "ENOTDIR",
]);
const probeBytes = 2 * 1024 ** 2;

/** A fault of the file system as an operator reads it: `sink_full`, `target_unauthorized`, `sink_path_blocked` or `target_unavailable`. */
export function diskFault(error: unknown, doing: string): unknown {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (error instanceof AppError || code === undefined || syscall === undefined) return error;
  if (fullCodes.has(code)) {
    return new AppError("sink_full", `${doing}: the disk is full (${code})`, { cause: error });
  }
  if (deniedCodes.has(code)) {
    const message = `${doing}: not allowed (${code}); give this process the right to write there`;
    return new AppError("target_unauthorized", message, { cause: error });
  }
  if (blockedCodes.has(code)) {
    const message = `${doing}: something that is no folder is in the way (${code} in ${syscall})`;
    return new AppError("sink_path_blocked", message, { cause: error });
  }
  return new AppError("target_unavailable", `${doing}: ${code} in ${syscall}`, { cause: error });
}

/** Whether a folder's disk takes no more. Asked after a fault of a library that does not say why it could not write. */
export async function isDiskFull(folder: string): Promise<boolean> {
  const probe = join(folder, `_probe-${process.pid}`);
  try {
    const { bavail, bsize } = await statfs(folder);
    if (bavail * bsize < probeBytes) return true;
    const file = await open(probe, "w");
    try {
      await file.writeFile(Buffer.alloc(probeBytes));
    } finally {
      await file.close();
    }
    return false;
  } catch (error) {
    return fullCodes.has((error as NodeJS.ErrnoException).code);
  } finally {
    await rm(probe, { force: true });
  }
}
