import type { ConformanceCase } from "../../src/sdk/testing/index.ts";

/** Names of the cases that fail, for tests of the suites themselves. */
export async function failures(cases: readonly ConformanceCase[]): Promise<string[]> {
  const failed: string[] = [];
  for (const one of cases) {
    try {
      await one.run();
    } catch {
      failed.push(one.name);
    }
  }
  return failed;
}
