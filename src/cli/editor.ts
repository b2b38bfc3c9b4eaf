import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AppError } from "../errors.ts";

/**
 * Lets somebody change a text in `$VISUAL` or `$EDITOR`, on this process's terminal, and returns what is left. The file is readable by its
 * owner alone and is gone afterwards. Throws `bad_request` when there is no editor, or it ends with a failure.
 */
export async function editText(
  text: string,
  variables: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  const editor = [variables["VISUAL"], variables["EDITOR"]].find((name) => (name ?? "").trim() !== "");
  if (editor === undefined) {
    throw new AppError("bad_request", "set $EDITOR, or say what to change with --set or --event-data");
  }
  const folder = await mkdtemp(join(tmpdir(), "deskbridge-edit-"));
  try {
    const file = join(folder, "event-data.json");
    await writeFile(file, text, { mode: 0o600 });
    // An editor is a command of the user's own, with options in it: `code --wait`.
    const child = spawn("sh", ["-c", `${editor} "$1"`, "sh", file], { stdio: "inherit" });
    const [code] = (await once(child, "close")) as [number | null];
    if (code !== 0) throw new AppError("bad_request", "the editor ended with a failure; nothing was changed");
    return await readFile(file, "utf8");
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
