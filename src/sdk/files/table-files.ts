/** A file of a table's folder, as the place that has it tells. */
export interface FileFacts {
  readonly bytes: number;
  readonly modifiedMs: number;
}

/** What is known of a file once it is safe where it was put. */
export interface StoredFile {
  readonly bytes: number;
  readonly sha256: string;
}

/** The folder of one table: on a disk or in a bucket. Names are relative to it, with `/`. Faults are `AppError`s. */
export interface TableFiles {
  /** What people know it by. */
  readonly place: string;
  /** A folder on this machine for what a run needs while it is open. It is not there yet, or left over. */
  readonly workFolder: string;
  /** Every file; empty where the folder is not there. */
  readonly list: () => Promise<ReadonlyMap<string, FileFacts>>;
  /** A small file as text; undefined where it is not there. */
  readonly read: (name: string) => Promise<string | undefined>;
  /** Puts a small file there, durably and at once: nobody sees half of it. Makes the folder. */
  readonly write: (name: string, text: string) => Promise<void>;
  /** Paths on this machine under which DuckDB can read the files, until `release`; the last two parts of each are those of its name. */
  readonly fetch: (names: readonly string[]) => Promise<readonly string[]>;
  readonly release: () => Promise<void>;
  /** A folder on this machine for what is to be staged under a name. It is not there yet. */
  readonly outputFolder: (name: string) => Promise<string>;
  /** Makes a file of an output folder durable under its name. */
  readonly stage: (name: string) => Promise<StoredFile>;
  /** Puts staged files in the place of others, each at once. One that is staged no more is in its place already. */
  readonly publish: (moves: readonly Move[]) => Promise<void>;
  /** Takes files away, those that are there. Folders that are empty then go too. */
  readonly remove: (names: readonly string[]) => Promise<void>;
  /** Takes a folder away with all that is in it, where it is there. */
  readonly removeFolder: (name: string) => Promise<void>;
  readonly close: () => Promise<void>;
}

export interface Move {
  readonly from: string;
  readonly to: string;
}

/** What is in the folder of a table besides its rows. */
export const manifestName = "_manifest.json";
export const workName = "_work";
export const stagingName = "_staging";
export const recordName = `${stagingName}/commit.json`;
