import { AppError } from "deskbridge/sdk";
import type { CheckResult } from "deskbridge/sdk";
import type { Config } from "./config.ts";
import { openWarehouse } from "./warehouse.ts";

/** What is told of a project by `deskbridge doctor`: whether a query may be run in it. */
export async function checkProject(config: Config, signal: AbortSignal): Promise<readonly CheckResult[]> {
  try {
    const warehouse = await openWarehouse(config, signal);
    await warehouse.query({ sql: "SELECT 1 AS one" });
    return [{ name: "project", ok: true, detail: `queries run in the project ${config.project}` }];
  } catch (error) {
    const detail = error instanceof AppError ? error.message : "the project does not answer";
    return [{ name: "project", ok: false, detail: `${detail} Check \`project\` and \`credentials\`.` }];
  }
}
