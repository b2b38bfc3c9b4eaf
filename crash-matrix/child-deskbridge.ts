import { join } from "node:path";
import { runCommandLine } from "../src/cli/command-line.ts";
import type { Registry } from "../src/registry/registry.ts";
import { openRegistry } from "../src/registry/registry.ts";

// deskbridge as `src/main.ts` starts it, with the connectors of the matrix beside those of the project.
const installed = openRegistry({ connectorsDir: join(import.meta.dirname, "../connectors") });
const own = openRegistry({ connectorsDir: join(import.meta.dirname, "connector") });
const ownNames = await own.names();

const registry: Registry = {
  names: async () => [...ownNames, ...(await installed.names())],
  get: (name) => (ownNames.includes(name) ? own : installed).get(name),
};

process.exitCode = await runCommandLine(process.argv.slice(2), {
  variables: process.env,
  stdout: process.stdout,
  stderr: process.stderr,
  registry,
});
