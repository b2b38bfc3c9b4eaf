#!/usr/bin/env node
import { runCommandLine } from "./cli/command-line.ts";

const { env: variables, stdout, stderr } = process;
process.exitCode = await runCommandLine(process.argv.slice(2), { variables, stdout, stderr });
