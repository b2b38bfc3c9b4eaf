import { defineConfig } from "vitest/config";

const project = (name: string, extra: Record<string, unknown> = {}) => ({
  test: { name, include: [`test/${name}/**/*.test.ts`], ...extra },
});

export default defineConfig({
  test: {
    projects: [
      project("unit"),
      project("conformance"),
      project("golden"),
      project("integration", { testTimeout: 60_000, hookTimeout: 120_000, fileParallelism: false }),
      project("e2e", { testTimeout: 180_000, hookTimeout: 180_000, fileParallelism: false }),
    ],
  },
});
