import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

const root = join(import.meta.dirname, "../..");

type Variables = Readonly<Record<string, string>>;

/** A program of `examples/` that stays up. */
export interface ExampleProgram {
  /** The address that it printed. */
  readonly url: string;
  readonly stop: () => Promise<void>;
}

/** Runs a program of `examples/` to its end; what it printed. Throws with what it wrote when it fails. */
export async function runExample(
  program: string,
  words: readonly string[],
  variables: Variables,
): Promise<string> {
  const { child, output } = launch(program, words, variables);
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error(`${program} ended with ${code}:\n${output()}`);
  return output();
}

/** Starts a program of `examples/`; it is up when this resolves. */
export async function startExample(program: string, variables: Variables): Promise<ExampleProgram> {
  const { child, output } = launch(program, [], variables);
  const ended = once(child, "close");
  const addressOf = (): string | undefined => /http:\/\/127\.0\.0\.1:\d+/.exec(output())?.[0];
  while (addressOf() === undefined) {
    const winner = await Promise.race([
      once(child.stdout, "data").then(() => "data"),
      ended.then(() => "end"),
    ]);
    if (winner === "end") throw new Error(`${program} ended before it was up:\n${output()}`);
  }
  return {
    url: addressOf() ?? "",
    stop: async () => {
      child.kill();
      await ended;
    },
  };
}

function launch(program: string, words: readonly string[], variables: Variables) {
  const child = spawn(process.execPath, [join(root, "examples", program), ...words], {
    env: { PATH: process.env["PATH"], ...variables },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (chunk: string) => void (text += chunk));
  }
  return { child, output: () => text };
}
