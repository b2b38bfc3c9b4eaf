import { createHash } from "node:crypto";
import { readFile, readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";

const manifest = z.object({ files: z.array(z.object({ path: z.string(), sha256: z.string() })) });
const record = z.object({ manifest });

/** What a warehouse of files holds at a moment, as somebody sees it who lists its folders. */
export interface Published {
  /** Files of rows that neither the manifest of their table has so, nor a commit that is decided and being carried out. */
  readonly half: readonly string[];
  /** Files of rows that are whole. */
  readonly whole: number;
}

/** Looks at all tables below a folder, which may not be there yet. */
export async function readPublished(root: string): Promise<Published> {
  const paths = await readdir(root, { recursive: true }).catch(() => []);
  const known = new Map<string, Set<string>>();
  for (const path of paths.filter((one) => /(_manifest|_staging\/commit)\.json$/.test(one))) {
    const text: unknown = JSON.parse(await readFile(join(root, path), "utf8"));
    const isRecord = path.endsWith("commit.json");
    const table = isRecord ? dirname(dirname(path)) : dirname(path);
    const { files } = isRecord ? record.parse(text).manifest : manifest.parse(text);
    for (const { path: name, sha256 } of files) {
      const at = join(table, name);
      known.set(at, (known.get(at) ?? new Set()).add(sha256));
    }
  }
  // As readers list them: what is below a name with an underscore is not for them.
  const visible = paths.filter((path) => /\/day=[^/]+\/[^/]+$/.test(path) && !path.includes("/_"));
  const half: string[] = [];
  for (const path of visible) {
    const sha256 = createHash("sha256")
      .update(await readFile(join(root, path)))
      .digest("hex");
    if (known.get(path)?.has(sha256) !== true) half.push(path);
  }
  return { half, whole: visible.length - half.length };
}
