import { execFile } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { expect, it, onTestFinished } from "vitest";
import { fencedBlocks } from "../support/code-blocks.ts";
import { deskbridgeHome } from "../support/deskbridge-process.ts";
import { embeddedUrl, settledCounts } from "../support/shop-day.ts";

const root = resolve(import.meta.dirname, "../..");

const sharing = ". try/secrets.sh\n";

/** The words after `export` lines of a shell file. */
function exportsOf(text: string): Record<string, string> {
  const pairs = [...text.matchAll(/^export (\w+)=(\S+)$/gm)];
  return Object.fromEntries(pairs.map(([, name = "", value = ""]) => [name, value]));
}

it("the commands of the quick start print what it says that they print", async () => {
  const page = await readFile(join(root, "docs/guides/quick-start.md"), "utf8");
  const blocks = fencedBlocks(page);
  const home = await deskbridgeHome();
  onTestFinished(home.remove);
  const folder = join(home.dataDir, "guide");
  await mkdir(folder);
  let url = "";
  const shell = async (script: string): Promise<string> => {
    const text = script
      .replaceAll("npm run -s deskbridge --", `"${process.execPath}" "${join(root, "src/main.ts")}"`)
      .replaceAll("--data try/data", `--data "${home.dataDir}"`)
      .replaceAll("http://127.0.0.1:8787", url);
    const options = { cwd: folder, env: { PATH: process.env["PATH"], HOME: process.env["HOME"] } };
    const { stdout } = await promisify(execFile)("bash", ["--norc", "-euc", text], options);
    return stdout;
  };

  // A block runs with what the shell has been told before: the secrets and the function `send`.
  let told = "";
  let checked = 0;
  for (const [index, { language, text }] of blocks.entries()) {
    if (language === "yaml") {
      await mkdir(join(folder, "try"), { recursive: true });
      await writeFile(join(folder, "try/parcels.yaml"), text);
    }
    if (language !== "sh" || text.includes("npm ci")) continue;
    if (text.startsWith("npm start")) {
      const secrets = await readFile(join(folder, "try/secrets.sh"), "utf8");
      const config = join(folder, "try/parcels.yaml");
      const started = await home.start({ config, variables: exportsOf(secrets) });
      url = started.url;
      continue;
    }
    if (text.startsWith("curl")) await settledCounts(await embeddedUrl(home.dataDir), 1, 20_000);
    const printed = await shell(`${told}${text}`);
    const next = blocks[index + 1];
    for (const line of next?.language === "text" ? next.text.trim().split("\n") : []) {
      expect(printed).toContain(line);
      checked += 1;
    }
    if (text.includes(sharing)) told = sharing;
    if (text.startsWith("send()")) told += text.slice(0, text.indexOf("}\n") + 2);
  }
  expect(checked).toBe(9);
});
