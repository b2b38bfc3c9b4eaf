import { createHash, randomBytes } from "node:crypto";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { AppError } from "../errors.ts";
import { type Account, canEnter, chooseAccount } from "./embedded-account.ts";
import { sharedRoot } from "./embedded-binaries.ts";

/** The folders and files of one embedded cluster. */
export interface ClusterHome {
  /** The user's data directory. */
  readonly dataDir: string;
  /** Holds the cluster, owned by the account it runs as. Below the data directory, or elsewhere when the account cannot get there. */
  readonly folder: string;
  readonly account: Account | undefined;
  readonly logFile: string;
}

const pointer = z.object({ folder: z.string() });

/** Finds or makes the place of the data directory's cluster. Where it is not below the data directory, `postgres.json` there says where. */
export function prepareHome(dataDir: string): ClusterHome {
  mkdirSync(dataDir, { recursive: true, mode: 0o711 });
  const real = realpathSync(dataDir);
  const folder = rememberedFolder(real);
  const account = chooseAccount(folder);
  const logFile = join(real, "postgres.log");
  letThrough(real, account);
  if (folder !== undefined) return { dataDir: real, folder, account, logFile };
  const below = join(real, "postgres");
  if (canEnter(real, account)) return { dataDir: real, folder: makeFolder(below, account), account, logFile };
  return { dataDir: real, folder: makeElsewhere(real, account), account, logFile };
}

/**
 * Takes the home for this process until the function returned is called or the process ends, however it ends: SQLite's exclusive lock is the
 * kernel's, so nothing stale is left behind. Throws `data_dir_in_use` when another has it.
 */
export function lockHome(home: ClusterHome): () => void {
  const lock = new DatabaseSync(join(home.folder, "owner.lock"), { timeout: 0 });
  const pidFile = join(home.dataDir, "deskbridge.pid");
  try {
    lock.exec("PRAGMA journal_mode = MEMORY");
    lock.exec("BEGIN EXCLUSIVE");
  } catch (cause) {
    lock.close();
    const pid = existsSync(pidFile) ? readFileSync(pidFile, "utf8").trim() : "unknown";
    throw new AppError(
      "data_dir_in_use",
      `the data directory ${home.dataDir} is in use by another deskbridge (process ${pid}); stop it, or give this one another --data`,
      { cause, details: { dataDir: home.dataDir, pid } },
    );
  }
  writeFileSync(pidFile, `${process.pid}\n`);
  return () => {
    rmSync(pidFile, { force: true });
    lock.close();
  };
}

/** The superuser's password: generated once, kept in a file that only our own user can read. */
export function readPassword(home: ClusterHome): string {
  const file = join(home.dataDir, "postgres-password");
  if (!existsSync(file)) {
    const fresh = `${file}.new`;
    writeFileSync(fresh, randomBytes(24).toString("base64url"), { mode: 0o600 });
    renameSync(fresh, file);
  }
  return readFileSync(file, "utf8").trim();
}

/** Gives a file's content to the cluster's account, readable by nobody else. */
export function writeForAccount(home: ClusterHome, name: string, content: string): string {
  const file = join(home.folder, name);
  rmSync(file, { force: true });
  writeFileSync(file, content, { mode: 0o600 });
  if (home.account !== undefined) chownSync(file, home.account.uid, home.account.gid);
  return file;
}

function rememberedFolder(dataDir: string): string | undefined {
  const file = join(dataDir, "postgres.json");
  if (existsSync(file)) {
    const { folder } = pointer.parse(JSON.parse(readFileSync(file, "utf8")));
    if (existsSync(folder)) return folder;
    throw new AppError(
      "ledger_unavailable",
      `${file} says that the database is in ${folder}, but there is nothing; restore it, or remove that file to begin with an empty database`,
    );
  }
  const below = join(dataDir, "postgres");
  return existsSync(below) ? below : undefined;
}

/** The account must pass through the data directory to its cluster. What is private in it has modes of its own. */
function letThrough(dataDir: string, account: Account | undefined): void {
  if (account === undefined) return;
  const stat = statSync(dataDir);
  if (stat.uid === 0 && (stat.mode & 0o001) === 0) chmodSync(dataDir, stat.mode | 0o011);
}

function makeFolder(folder: string, account: Account | undefined): string {
  const fresh = `${folder}.new-${randomBytes(4).toString("hex")}`;
  mkdirSync(fresh, { mode: 0o700 });
  if (account !== undefined) chownSync(fresh, account.uid, account.gid);
  // A folder of this name that is empty is replaced; one that another process has filled meanwhile makes this fail, as it should.
  renameSync(fresh, folder);
  return folder;
}

function makeElsewhere(dataDir: string, account: Account | undefined): string {
  const key = createHash("sha256").update(dataDir).digest("hex").slice(0, 16);
  mkdirSync(sharedRoot, { recursive: true });
  chmodSync(sharedRoot, 0o755);
  const folder = join(sharedRoot, `cluster-${key}`);
  if (!existsSync(folder)) makeFolder(folder, account);
  const file = join(dataDir, "postgres.json");
  writeFileSync(`${file}.new`, `${JSON.stringify({ folder })}\n`);
  renameSync(`${file}.new`, file);
  return folder;
}
