import type { DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { mkdir, stat } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { AppError } from "../../errors.ts";
import { diskFault, isDiskFull } from "./disk-fault.ts";

/** A DuckDB of this process, with its times in UTC. Faults are `AppError`s that tell nothing of what is in the rows. */
export interface Duckdb {
  /** How many threads it works with at most. */
  readonly threads: number;
  readonly run: (sql: string) => Promise<void>;
  /** Runs a statement that writes rows; gives back how many. */
  readonly change: (sql: string) => Promise<number>;
  readonly rows: (sql: string) => Promise<readonly Readonly<Record<string, unknown>>[]>;
  /** Rows as they come, some at a time. */
  readonly stream: (sql: string) => AsyncIterable<readonly Readonly<Record<string, unknown>>[]>;
  readonly close: () => void;
}

interface DuckdbRequest {
  /** Where what does not fit into memory goes, and the database itself. It has to be there no longer than the database is open. */
  readonly folder: string;
  /** Statements under way are broken off when it is aborted. */
  readonly signal: AbortSignal;
  /** As many threads at most; `duckdbThreads` when absent. */
  readonly threads?: number | undefined;
}

/** With the process around it and what the library takes besides, a worker stays under 400 MB with this. */
const memoryMegabytes = 80;
/** Each takes memory of its own. */
const mostThreads = 4;

/** How many threads a database works with. */
export function duckdbThreads(): number {
  return Math.min(availableParallelism(), mostThreads);
}

/** The same for all that are open in a process: a database file that is open twice has to be open in the same way. */
function settings(threads = duckdbThreads()): Record<string, string> {
  return {
    threads: String(threads),
    memory_limit: `${memoryMegabytes}MB`,
    // What is freed is given back at once rather than kept for later.
    allocator_flush_threshold: "8MB",
    allocator_bulk_deallocation_flush_threshold: "8MB",
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false",
  };
}

/** Opens an empty database in a folder, which is made. Loads DuckDB, which is large, so it is opened only where there is something to do. */
export async function openDuckdb({ folder, signal, threads }: DuckdbRequest): Promise<Duckdb> {
  const { DuckDBInstance: Instance } = await import("@duckdb/node-api");
  await makeFolder(folder);
  const opened = await guarded(folder, signal, async () => {
    const options = { ...settings(threads), temp_directory: join(folder, "overflow") };
    const instance = await Instance.create(join(folder, stagedName), options);
    const connection = await instance.connect();
    // Rows stay there for minutes only: packing them would cost more than it saves.
    await connection.run(
      "SET TimeZone = 'UTC'; SET force_compression = 'uncompressed'; PRAGMA disable_checkpoint_on_shutdown",
    );
    return { instance, connection };
  });
  return createDuckdb({ ...opened, threads: threads ?? duckdbThreads() }, folder, signal);
}

async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    throw diskFault(error, `${folder} cannot be made`);
  }
}

/** What the database of `openDuckdb` is called in its folder. */
export const stagedName = "staged.db";

/**
 * Opens a database file of the operator's, which is made where it is missing. No other process can open it meanwhile; in this one it may be open several
 * times, as one database.
 */
export async function openDuckdbFile(path: string, signal: AbortSignal): Promise<Duckdb> {
  const { DuckDBInstance: Instance } = await import("@duckdb/node-api");
  const folder = dirname(path);
  await makeFolder(folder);
  const there = await stat(path).catch(() => undefined);
  if (there?.isDirectory() === true)
    throw new AppError("sink_path_blocked", `${path} is a folder; a database file is expected there`);
  const opened = await guarded(folder, signal, async () => {
    const instance = await Instance.fromCache(path, settings());
    const connection = await instance.connect();
    await connection.run("SET TimeZone = 'UTC'");
    return { instance, connection };
  });
  return createDuckdb({ ...opened, threads: duckdbThreads() }, folder, signal);
}

/** A database that is opened when it is first asked for. */
export interface LazyDuckdb {
  readonly open: () => Promise<Duckdb>;
  /** Closes it where it is open; it can be asked for again. */
  readonly close: () => Promise<void>;
}

export function createLazyDuckdb(request: DuckdbRequest): LazyDuckdb {
  let opened: Promise<Duckdb> | undefined;
  return {
    open: () => (opened ??= openDuckdb(request)),
    close: async () => {
      const database = await opened?.catch(() => undefined);
      opened = undefined;
      database?.close();
    },
  };
}

interface OpenedDuckdb {
  readonly instance: DuckDBInstance;
  readonly connection: DuckDBConnection;
  readonly threads: number;
}

/** What DuckDB has freed its allocator keeps, for each thread that ever worked: up to a hundred megabytes. Whenever the limit is set it gives all of it back. */
const giveBack = `SET memory_limit = '${memoryMegabytes}MB'`;

function createDuckdb(
  { instance, connection, threads }: OpenedDuckdb,
  folder: string,
  signal: AbortSignal,
): Duckdb {
  const interrupt = (): void => connection.interrupt();
  signal.addEventListener("abort", interrupt);
  return {
    threads,
    run: async (sql) => {
      await guarded(folder, signal, async () => {
        await connection.run(sql);
        await connection.run(giveBack);
      });
    },
    change: (sql) =>
      guarded(folder, signal, async () => {
        const [row] = (await connection.runAndReadAll(sql)).getRowObjectsJS();
        await connection.run(giveBack);
        return Number(row?.["Count"] ?? 0);
      }),
    rows: (sql) =>
      guarded(folder, signal, async () => (await connection.runAndReadAll(sql)).getRowObjectsJS()),
    async *stream(sql) {
      const chunks = await guarded(folder, signal, async () =>
        (await connection.stream(sql)).yieldRowObjectJs()[Symbol.asyncIterator](),
      );
      for (;;) {
        const next = await guarded(folder, signal, () => chunks.next());
        if (next.done === true) return;
        yield next.value;
      }
    },
    close: () => {
      signal.removeEventListener("abort", interrupt);
      connection.closeSync();
      instance.closeSync();
    },
  };
}

async function guarded<T>(folder: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  try {
    return await work();
  } catch (error) {
    signal.throwIfAborted();
    throw await duckdbFault(error, folder);
  }
}

/**
 * DuckDB tells the kind of an error only by how its text begins, and quotes rows in it. So the kind is all that is passed on, but for faults of files, whose
 * first line names the file and the reason.
 */
async function duckdbFault(error: unknown, folder: string): Promise<unknown> {
  const [first = ""] = String(error instanceof Error ? error.message : error).split("\n");
  const [, kind = "unknown"] = /^([A-Za-z ]{1,40}) Error:/.exec(first) ?? [];
  if (await isDiskFull(folder)) return new AppError("sink_full", `the disk of ${folder} is full`);
  if (kind === "IO") return new AppError("target_unavailable", `files cannot be read or written: ${first}`);
  if (kind === "Out of Memory") {
    return new AppError("target_unavailable", "a row is too large for the memory that an export may use");
  }
  const message = `rows do not fit their columns, or a file is not what it was: DuckDB says ${kind} Error`;
  return new AppError("target_rejected", message);
}
