import { AppError } from "deskbridge/sdk";
import type { CheckResult } from "deskbridge/sdk";
import type { Config } from "./config.ts";
import { openServer } from "./server.ts";

/** Since this version `FINAL` leaves out the rows that are gone. */
const oldest = [23, 8] as const;

/** What is told of a server by `deskbridge doctor`: whether it answers, and whether it is new enough. */
export async function checkServer(config: Config, signal: AbortSignal): Promise<readonly CheckResult[]> {
  const server = await openServer(config, signal);
  try {
    const [row] = await server.query<{ version: string }>("SELECT version() AS version");
    const version = row?.version ?? "";
    const [major = 0, minor = 0] = version.split(".").map(Number);
    const ok = major > oldest[0] || (major === oldest[0] && minor >= oldest[1]);
    const detail = ok
      ? `ClickHouse ${version} answers`
      : `ClickHouse ${version} is too old; ${oldest.join(".")} is needed`;
    return [{ name: "server", ok, detail }];
  } catch (error) {
    const detail =
      error instanceof AppError ? error.message : "the server does not answer as ClickHouse does";
    return [{ name: "server", ok: false, detail: `${detail} Check \`url\`, \`username\` and \`password\`.` }];
  } finally {
    await server.close();
  }
}
