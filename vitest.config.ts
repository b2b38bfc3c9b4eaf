import { defineConfig } from "vitest/config";

const project = (name: string, extra: Record<string, unknown> = {}) => ({
  test: { name, include: [`test/${name}/**/*.test.ts`], ...extra },
});

export default defineConfig({
  test: {
    projects: [
      // Long enough for a machine that has other things to do.
      project("unit", { testTimeout: 30_000 }),
      project("conformance", { testTimeout: 30_000 }),
      project("golden", { testTimeout: 30_000 }),
      // Much of these is waiting: for PostgreSQL, for Redis, for processes of their own.
      project("integration", {
        globalSetup: ["test/support/postgres-setup.ts"],
        testTimeout: 60_000,
        hookTimeout: 120_000,
        maxWorkers: 2,
        sequence: { groupOrder: 1 },
      }),
      project("e2e", {
        globalSetup: ["test/support/postgres-setup.ts"],
        testTimeout: 180_000,
        hookTimeout: 180_000,
        fileParallelism: false,
        sequence: { groupOrder: 2 },
      }),
    ],
  },
});
