import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Bucket } from "../../src/desk/attachment-s3.ts";

/** A bucket's objects below its prefix as files on this machine, for tools that read files. */
export interface BucketCopy {
  /** Fetches all of them; gives back the folder, which is the same each time. */
  readonly fetch: () => Promise<string>;
  /** Puts back the files that differ from what was fetched. */
  readonly store: () => Promise<void>;
  readonly close: () => Promise<void>;
}

export function createBucketCopy({
  bucket: Bucket,
  prefix,
  region,
  endpoint,
  accessKeyId,
  secretAccessKey,
}: Bucket): BucketCopy {
  const client = new S3Client({
    region,
    forcePathStyle: true,
    ...(endpoint === undefined ? {} : { endpoint }),
    credentials: { accessKeyId: accessKeyId ?? "", secretAccessKey: secretAccessKey ?? "" },
  });
  let made: Promise<string> | undefined;
  const fetched = new Map<string, Buffer>();

  const fetch = async (): Promise<string> => {
    const folder = await (made ??= mkdtemp(join(tmpdir(), "deskbridge-bucket-")));
    await rm(folder, { recursive: true });
    await mkdir(folder);
    fetched.clear();
    const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket, Prefix: prefix }));
    for (const { Key = "" } of Contents) {
      const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }));
      const bytes = Buffer.from((await Body?.transformToByteArray()) ?? []);
      const name = Key.slice(prefix.length);
      fetched.set(name, bytes);
      await mkdir(dirname(join(folder, name)), { recursive: true });
      await writeFile(join(folder, name), bytes);
    }
    return folder;
  };

  return {
    fetch,
    store: async () => {
      const folder = await (made ?? fetch());
      for (const name of await readdir(folder, { recursive: true })) {
        const path = join(folder, name);
        if (!(await stat(path)).isFile()) continue;
        const bytes = await readFile(path);
        if (fetched.get(name)?.equals(bytes) === true) continue;
        await client.send(new PutObjectCommand({ Bucket, Key: `${prefix}${name}`, Body: bytes }));
      }
    },
    close: async () => {
      client.destroy();
      if (made !== undefined) await rm(await made, { recursive: true, force: true });
    },
  };
}
