import type { TableFiles } from "../../src/sdk/files/table-files.ts";

/** How many more deeds the files of a process do before it dies. */
export interface Life {
  left: number;
}

/** Files of a process that dies: what is done to several files is done to one after the other. */
export function mortal(files: TableFiles, life: Life): TableFiles {
  const deed = async <T>(work: () => Promise<T>): Promise<T> => {
    if (life.left <= 0) throw new Error("died");
    life.left -= 1;
    const result = await work();
    if (life.left <= 0) throw new Error("died");
    return result;
  };
  const each = async <T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> => {
    for (const item of items) await deed(() => work(item));
  };
  return {
    ...files,
    read: (name) => deed(() => files.read(name)),
    write: (name, text) => deed(() => files.write(name, text)),
    outputFolder: (name) => deed(() => files.outputFolder(name)),
    stage: (name) => deed(() => files.stage(name)),
    publish: (moves) => each(moves, (move) => files.publish([move])),
    remove: (names) => each(names, (name) => files.remove([name])),
    removeFolder: (name) => deed(() => files.removeFolder(name)),
  };
}
