#!/usr/bin/env node
import { createProgram } from "./cli/program.ts";
import { toAppError } from "./errors.ts";

const context = { variables: process.env, stdout: process.stdout, stderr: process.stderr };

try {
  await createProgram(context).parseAsync(process.argv);
} catch (error) {
  const fault = toAppError(error);
  process.stderr.write(`${fault.code}: ${fault.message}\n`);
  process.exitCode = 1;
}
