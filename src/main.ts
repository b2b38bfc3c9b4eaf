#!/usr/bin/env node
import { enableCompileCache } from "node:module";
import { fileURLToPath } from "node:url";

// With what was compiled the last time a command starts in half the time. Where this folder cannot be written, nothing is kept.
enableCompileCache(fileURLToPath(new URL("../.cache/compiled", import.meta.url)));

const { runCommandLine } = await import("./cli/command-line.ts");

process.exitCode = await runCommandLine(process.argv.slice(2), {
  variables: process.env,
  stdout: process.stdout,
  stderr: process.stderr,
  stdin: process.stdin,
});
