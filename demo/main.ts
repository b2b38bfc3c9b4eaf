#!/usr/bin/env node
import { runDemoCommand } from "./command.ts";

process.exitCode = await runDemoCommand(process.argv.slice(2), {
  variables: process.env,
  stdout: process.stdout,
  stderr: process.stderr,
});
