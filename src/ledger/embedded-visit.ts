import { readdirSync } from "node:fs";
import { join } from "node:path";
import { AppError } from "../errors.ts";
import { connectionUrl } from "./embedded-cluster.ts";
import { type ClusterHome, prepareHome, readPassword } from "./embedded-home.ts";
import { readPostmaster } from "./embedded-postmaster.ts";
import type { EmbeddedPostgres, EmbeddedPostgresOptions } from "./embedded.ts";
import { openEmbeddedPostgres } from "./embedded.ts";

/**
 * The embedded PostgreSQL of a data directory for a command that comes and goes: the one that another deskbridge is running there, which then
 * stays up on `close`, or else one of our own, which is stopped.
 */
export async function visitEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  try {
    return await openEmbeddedPostgres(options);
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== "data_dir_in_use") throw error;
    const home = prepareHome(options.dataDir);
    const postmaster = readPostmaster(clusterOf(home));
    if (postmaster?.ready !== true) throw error;
    return {
      url: connectionUrl(postmaster.port, readPassword(home)),
      pid: postmaster.pid,
      close: async () => undefined,
    };
  }
}

function clusterOf(home: ClusterHome): string {
  const name = readdirSync(home.folder).find((entry) => /^data-\d+$/.test(entry));
  return join(home.folder, name ?? "data");
}
