import { createHash } from "node:crypto";
import { createReadStream, readdirSync, statSync } from "node:fs";
import { mkdir, open, readFile, rename, rm, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { atOnce } from "./at-once.ts";
import { diskFault } from "./disk-fault.ts";
import { workName } from "./table-files.ts";
import type { FileFacts, Move, StoredFile, TableFiles } from "./table-files.ts";

/** A table's folder on a disk of this machine. Nothing is made before something is written. */
export function createLocalFiles(folder: string, workFolder = join(folder, workName)): TableFiles {
  const at = (name: string): string => join(folder, name);
  const told = async <T>(doing: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw diskFault(error, `${folder} cannot be ${doing}`);
    }
  };
  return {
    place: folder,
    workFolder,
    list: () => told("read", () => listFiles(folder)),
    read: (name) => told("read", () => readIfThere(at(name))),
    write: (name, text) => told("written", () => writeAtOnce(at(name), text)),
    fetch: async (names) => names.map(at),
    release: async () => undefined,
    outputFolder: (name) =>
      told("written", async () => {
        await mkdir(dirname(at(name)), { recursive: true });
        return at(name);
      }),
    stage: (name) => told("written", () => makeDurable(at(name))),
    publish: (moves) => told("written", () => moveAll(moves, at)),
    remove: (names) => told("written", () => removeAll(names.map(at))),
    removeFolder: (name) =>
      told("written", async () => {
        await rm(at(name), { recursive: true, force: true });
        await removeIfEmpty(dirname(at(name)));
      }),
    close: async () => undefined,
  };
}

/** Folders that are looked at before others get their turn. */
const foldersAtOnce = 50;

/** Without threads, which take three times as long for the hundreds of small folders of a table; some at a time. */
async function listFiles(folder: string): Promise<ReadonlyMap<string, FileFacts>> {
  const files = new Map<string, FileFacts>();
  const folders = [folder];
  for (let looked = 0; looked < folders.length; looked += 1) {
    const at = folders[looked] ?? folder;
    for (const entry of await absentAs([], async () => readdirSync(at, { withFileTypes: true }))) {
      const path = join(at, entry.name);
      if (entry.isDirectory()) {
        folders.push(path);
        continue;
      }
      const facts = await absentAs(undefined, async () => statSync(path));
      if (facts === undefined) continue;
      const name = path.slice(folder.length + 1).replaceAll("\\", "/");
      files.set(name, { bytes: facts.size, modifiedMs: facts.mtimeMs });
    }
    if (looked % foldersAtOnce === foldersAtOnce - 1) await setImmediate();
  }
  return files;
}

const readIfThere = (path: string): Promise<string | undefined> =>
  absentAs(undefined, () => readFile(path, "utf8"));

async function writeAtOnce(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const file = await open(`${path}.new`, "w");
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
  await syncFolder(dirname(path));
}

/** Larger files are looked at piece by piece. */
const wholeBytes = 2 * 1024 ** 2;

async function makeDurable(path: string): Promise<StoredFile> {
  const hash = createHash("sha256");
  const file = await open(path, "r+");
  try {
    const { size: bytes } = await file.stat();
    if (bytes <= wholeBytes) hash.update(await file.readFile());
    else
      for await (const chunk of createReadStream(path, { highWaterMark: 1024 ** 2 }))
        hash.update(chunk as Buffer);
    await file.sync();
    return { bytes, sha256: hash.digest("hex") };
  } finally {
    await file.close();
  }
}

async function moveAll(moves: readonly Move[], at: (name: string) => string): Promise<void> {
  const folders = new Set<string>();
  for (const { from, to } of moves) {
    await mkdir(dirname(at(to)), { recursive: true });
    await absentAs(undefined, () => rename(at(from), at(to)));
    folders.add(dirname(at(to))).add(dirname(dirname(at(to))));
  }
  // The file system puts what several ask for at a time on the disk together.
  await atOnce(folders, foldersAtATime, syncFolder);
}

const foldersAtATime = 8;

async function removeAll(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    await rm(path, { force: true });
    await removeIfEmpty(dirname(path));
  }
}

async function removeIfEmpty(folder: string): Promise<void> {
  try {
    await rmdir(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT" && code !== "ENOTEMPTY" && code !== "EEXIST") throw error;
  }
}

/** Names that were put into a folder stay there only when the folder itself is on the disk. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function absentAs<T>(otherwise: T, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return otherwise;
    throw error;
  }
}
