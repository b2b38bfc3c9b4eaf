import { AppError } from "deskbridge/sdk";
import type { CheckResult } from "deskbridge/sdk";
import type { Config } from "./config.ts";
import { openWarehouse } from "./warehouse.ts";

/** What is told of an account by `deskbridge doctor`: whether the user gets in and a query may be run. */
export async function checkAccount(config: Config, signal: AbortSignal): Promise<readonly CheckResult[]> {
  try {
    const warehouse = await openWarehouse(config, signal);
    try {
      await warehouse.query({ sql: 'SELECT 1 AS "one"' });
    } finally {
      await warehouse.close();
    }
    return [{ name: "account", ok: true, detail: `queries run in the account ${config.account}` }];
  } catch (error) {
    const detail = error instanceof AppError ? error.message : "the account does not answer";
    const advice = "Check `account`, `username`, `warehouse` and the key, token or password.";
    return [{ name: "account", ok: false, detail: `${detail} ${advice}` }];
  }
}
