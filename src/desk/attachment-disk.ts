import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { AppError } from "../errors.ts";
import type { AttachmentFiles } from "./attachment-file.ts";
import { storageFault } from "./attachment-file.ts";

/** Attachments in a folder of this machine, readable by this user alone. A file has its name only when it is whole and on the disk. */
export function createDiskFiles(folder: string): AttachmentFiles {
  // Spread over 256 folders, since some file systems are slow with many files in one.
  const pathOf = (name: string): string => join(folder, name.slice(0, 2), name);
  return {
    write: async (name, source) => {
      const path = pathOf(name);
      const part = `${path}.part`;
      try {
        await mkdir(dirname(path), { recursive: true, mode: 0o700 });
        await pipeline(
          Readable.from(source, { objectMode: false }),
          createWriteStream(part, { flags: "wx", mode: 0o600, flush: true }),
        );
        await rename(part, path);
      } catch (error) {
        await rm(part, { force: true }).catch(() => undefined);
        throw storageFault(error, "stored");
      }
    },
    read: async (name) => {
      try {
        const handle = await open(pathOf(name), "r");
        return createReadStream("", { fd: handle });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") throw missing();
        throw storageFault(error, "read");
      }
    },
    remove: async (name) => {
      try {
        await rm(pathOf(name), { force: true });
        await rm(`${pathOf(name)}.part`, { force: true });
      } catch (error) {
        throw storageFault(error, "removed");
      }
    },
    close: async () => undefined,
  };
}

function missing(): AppError {
  return new AppError("not_found", "the file of this attachment is not there any more");
}
