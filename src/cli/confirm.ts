import { createInterface } from "node:readline/promises";
import type { CliContext } from "./context.ts";

/** True where somebody sits at the terminal who can be asked. */
export function isAttended({ stdin, stderr }: CliContext): boolean {
  return stdin?.isTTY === true && stderr.isTTY === true;
}

/** Asks for a yes on the terminal. Where nobody can be asked, the command line is the answer. */
export async function confirm(context: CliContext, question: string): Promise<boolean> {
  const { stdin, stderr } = context;
  if (stdin === undefined || !isAttended(context)) return true;
  const prompt = createInterface({ input: stdin, output: stderr });
  try {
    return /^y(es)?$/i.test((await prompt.question(`${question} [y/N] `)).trim());
  } finally {
    prompt.close();
  }
}
