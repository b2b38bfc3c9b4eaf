import { spawnSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { AppError } from "../errors.ts";

/** The system account that PostgreSQL runs as when we are root; PostgreSQL refuses root itself. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** Accounts tried in this order; both are meant for a process that should own nothing else. */
const accountNames = ["postgres", "nobody"];

/**
 * The account to run a cluster as: that of an existing data directory's owner, else `postgres` or `nobody`. Undefined when we are not
 * root, where PostgreSQL simply runs as ourselves.
 */
export function chooseAccount(existingDataDirectory: string | undefined): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  if (existingDataDirectory !== undefined) {
    const owner = statSync(existingDataDirectory);
    if (owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  }
  const known = readAccounts();
  for (const name of accountNames) {
    const account = known.get(name);
    if (account !== undefined && account.uid !== 0) return account;
  }
  throw new AppError(
    "ledger_unavailable",
    `PostgreSQL does not run as root, and there is no account ${accountNames.join(" or ")} to run it as; start deskbridge as another user or set DATABASE_URL`,
  );
}

/** Whether a program can be executed by the account, its libraries and folders included. */
export function canExecute(program: string, args: readonly string[], account: Account | undefined): boolean {
  const run = spawnSync(program, args, { cwd: "/", env: {}, stdio: "ignore", timeout: 20_000, ...account });
  return run.status === 0;
}

/** Whether the account can reach the folder and look into it. Root's own view of a folder says nothing about another user's. */
export function canEnter(folder: string, account: Account | undefined): boolean {
  if (account === undefined) return true;
  const run = spawnSync("/bin/sh", ["-c", 'cd -- "$1"', "sh", folder], {
    cwd: "/",
    env: {},
    stdio: "ignore",
    timeout: 20_000,
    ...account,
  });
  return run.status === 0;
}

function readAccounts(): ReadonlyMap<string, Account> {
  const accounts = new Map<string, Account>();
  for (const line of readFileSync("/etc/passwd", "utf8").split("\n")) {
    const [name, , uid, gid] = line.split(":");
    if (name && uid && gid) accounts.set(name, { uid: Number(uid), gid: Number(gid) });
  }
  return accounts;
}
