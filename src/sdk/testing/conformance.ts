import { describe, expect, it } from "vitest";

/** One fact that a suite holds a connector to. */
export interface ConformanceCase {
  readonly name: string;
  readonly run: () => Promise<void> | void;
}

/** Registers the cases as tests under one heading. A case that asserts nothing fails. */
export function runCases(heading: string, cases: readonly ConformanceCase[]): void {
  describe.each([{ heading }])("$heading", () => {
    it.each(cases)("$name", async ({ run }) => {
      expect.hasAssertions();
      await run();
    });
  });
}
