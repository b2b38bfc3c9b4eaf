import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { AppError } from "../errors.ts";
import type { Binaries } from "./embedded-binaries.ts";
import { type ClusterHome, writeForAccount } from "./embedded-home.ts";

/** Name of the superuser and of the database. */
const role = "deskbridge";

/** Makes the cluster once and returns its data directory. It appears under its name only when it is complete. */
export function initialiseCluster(home: ClusterHome, binaries: Binaries, password: string): string {
  const major = binaries.version.split(".")[0] ?? "";
  const dataDirectory = join(home.folder, `data-${major}`);
  if (existsSync(dataDirectory)) return dataDirectory;
  const names = readdirSync(home.folder);
  const older = names.find((name) => /^data-\d+$/.test(name));
  if (older !== undefined) {
    throw new AppError(
      "ledger_unavailable",
      `${join(home.folder, older)} was made by another major version of PostgreSQL than ${major}; dump it with the old version and restore it into the new`,
    );
  }
  for (const name of names)
    if (name.startsWith("data-")) rmSync(join(home.folder, name), { recursive: true });
  const fresh = `${dataDirectory}.new-${randomBytes(4).toString("hex")}`;
  const passwordFile = writeForAccount(home, "initial-password", password);
  const run = spawnSync(
    binaries.initdb,
    [
      `--pgdata=${fresh}`,
      `--username=${role}`,
      `--pwfile=${passwordFile}`,
      "--auth=scram-sha-256",
      "--encoding=UTF8",
      "--locale=C",
      "--locale-provider=builtin",
      "--builtin-locale=C.UTF-8",
      "--no-instructions",
      "--set=timezone=UTC",
    ],
    { cwd: "/", env: { LC_ALL: "C" }, encoding: "utf8", ...home.account },
  );
  rmSync(passwordFile, { force: true });
  if (run.status !== 0) {
    rmSync(fresh, { recursive: true, force: true });
    throw new AppError(
      "ledger_unavailable",
      `PostgreSQL could not make its data directory in ${home.folder}: ${(run.stderr ?? "").trim().slice(-500)}`,
      {
        cause: run.error,
      },
    );
  }
  renameSync(fresh, dataDirectory);
  return dataDirectory;
}

/** Makes our database where it is missing. Rejects when the server does not answer to the password. */
export async function ensureDatabase(port: number, password: string): Promise<void> {
  const client = new pg.Client({
    connectionString: connectionUrl(port, password, "postgres"),
    connectionTimeoutMillis: 5_000,
    query_timeout: 10_000,
  });
  client.on("error", () => undefined);
  try {
    await client.connect();
    const found = await client.query("SELECT 1 FROM pg_database WHERE datname = $1", [role]);
    if (found.rowCount === 0) await client.query(`CREATE DATABASE ${role} OWNER ${role}`);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** The URL of our database, or of another one of the cluster. Holds the password. */
export function connectionUrl(port: number, password: string, database = role): string {
  return `postgres://${role}:${password}@127.0.0.1:${port}/${database}`;
}
