import { mkdir, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { AppError } from "../../errors.ts";
import type { CheckResult } from "../connector.ts";
import { diskFault } from "./disk-fault.ts";

/** Whether files can be written to a folder, found out by writing one. Makes the folder. */
export async function checkFolder(folder: string): Promise<readonly CheckResult[]> {
  const probe = join(folder, `_check-${process.pid}`);
  try {
    await mkdir(folder, { recursive: true });
    const file = await open(probe, "w");
    try {
      await file.writeFile("deskbridge");
      await file.sync();
    } finally {
      await file.close();
    }
    await rm(probe);
    return [{ name: "folder", ok: true, detail: `${folder} can be written to` }];
  } catch (error) {
    const fault = diskFault(error, `${folder} cannot be written to`);
    if (!(fault instanceof AppError)) throw fault;
    return [{ name: "folder", ok: false, detail: fault.message }];
  }
}
