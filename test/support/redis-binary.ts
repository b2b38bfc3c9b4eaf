import { execFile } from "node:child_process";
import { existsSync, globSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { lockFile, writableCache } from "./cache.ts";

const run = promisify(execFile);

/** A redis-server program and what has to be set for it to find its libraries. */
export interface RedisBinary {
  readonly program: string;
  readonly env: Readonly<Record<string, string>>;
}

/**
 * The redis-server of this machine, else one unpacked below `.cache/` from the packages of Debian or Ubuntu; nothing is installed, and no
 * root is needed. Throws with the command to run where neither is possible.
 */
export async function findRedis(): Promise<RedisBinary> {
  if (await works({ program: "redis-server", env: {} })) return { program: "redis-server", env: {} };
  const cache = writableCache();
  const folder = join(cache, `redis-${systemName()}`);
  const unlock = await lockFile(join(cache, "redis.lock"));
  try {
    const unpacked = unpackedRedis(folder);
    if (await works(unpacked)) return unpacked;
    await fetchPackages(folder);
    if (await works(unpackedRedis(folder))) return unpackedRedis(folder);
    throw new Error(`the redis-server unpacked to ${folder} does not run`);
  } catch (cause) {
    const command =
      process.platform === "darwin" ? "brew install redis" : "sudo apt-get install -y redis-server";
    throw new Error(`the tests need a real Redis and could not get one by themselves; run: ${command}`, {
      cause,
    });
  } finally {
    unlock();
  }
}

async function works(redis: RedisBinary): Promise<boolean> {
  return run(redis.program, ["--version"], { env: { ...process.env, ...redis.env } }).then(
    () => true,
    () => false,
  );
}

function unpackedRedis(folder: string): RedisBinary {
  const libraries = [...new Set(globSync(join(folder, "{usr/,}lib/*/*.so*")).map((file) => dirname(file)))];
  return { program: join(folder, "usr/bin/redis-server"), env: { LD_LIBRARY_PATH: libraries.join(":") } };
}

/** A clone may be carried from one system to another with its cache. */
function systemName(): string {
  const release = existsSync("/etc/os-release") ? readFileSync("/etc/os-release", "utf8") : "";
  const value = (key: string) => new RegExp(`^${key}="?([^"\n]*)`, "m").exec(release)?.[1] ?? "unknown";
  return `${value("ID")}-${value("VERSION_ID")}-${process.arch}`;
}

/** Downloads redis-server and those of its dependencies that the system lacks, and unpacks them into the folder. */
async function fetchPackages(folder: string): Promise<void> {
  await mkdir(dirname(folder), { recursive: true });
  const work = await mkdtemp(`${folder}.new-`);
  try {
    // The system's package lists first; they may be missing (a fresh container) or old (a file that is gone from the mirror).
    await download(work, ["-o", "Debug::NoLocking=true"]).catch(async () => {
      const options = await privateLists(work);
      await run("apt-get", [...options, "-qq", "update"]);
      await download(work, options);
    });
    const root = join(work, "root");
    for (const file of globSync(join(work, "*.deb"))) await run("dpkg", ["-x", file, root]);
    await rm(folder, { recursive: true, force: true });
    await rename(root, folder);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function privateLists(work: string): Promise<string[]> {
  for (const name of ["state/lists/partial", "cache/archives/partial"])
    await mkdir(join(work, name), { recursive: true });
  const settings = [
    `Dir::State=${join(work, "state")}`,
    "Dir::State::status=/var/lib/dpkg/status",
    `Dir::Cache=${join(work, "cache")}`,
    "Debug::NoLocking=true",
    "APT::Sandbox::User=",
  ];
  return settings.flatMap((setting) => ["-o", setting]);
}

async function download(work: string, options: readonly string[]): Promise<void> {
  const plan = await run(
    "apt-get",
    [...options, "-s", "-y", "--no-install-recommends", "install", "redis-server"],
    {
      env: { ...process.env, LC_ALL: "C" },
    },
  );
  const packages = [...plan.stdout.matchAll(/^Inst (\S+) (?:\[[^\]]*\] )?\((\S+)/gm)].map(
    ([, name, version]) => `${name}=${version}`,
  );
  await run("apt-get", [...options, "-o", "APT::Sandbox::User=", "download", ...packages], { cwd: work });
}
