import type { S3Client } from "@aws-sdk/client-s3";
import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, rm, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { atOnce } from "./at-once.ts";
import type { BucketConfig } from "./file-sink-config.ts";
import { s3Fault } from "./s3-client.ts";
import type { FileFacts, Move, StoredFile, TableFiles } from "./table-files.ts";
import { recordName } from "./table-files.ts";

interface S3FilesRequest {
  readonly client: () => Promise<S3Client>;
  readonly bucket: BucketConfig;
  readonly table: string;
  /** Of the table on this machine: for what is fetched and what is to be staged. */
  readonly workFolder: string;
  readonly signal: AbortSignal;
}

/** What the parts of this file work with. */
interface Place extends S3FilesRequest {
  readonly keyOf: (name: string) => { readonly Bucket: string; readonly Key: string };
  readonly root: string;
  readonly fetched: string;
  readonly output: string;
}

/** Calls that are under way at a time. */
const callsAtATime = 8;

/** A table's folder in a bucket. Objects appear whole; what is staged is copied within the bucket when it is published. */
export function createS3Files(request: S3FilesRequest): TableFiles {
  const { bucket, table, workFolder } = request;
  const root = `${bucket.prefix}${table}/`;
  const place: Place = {
    ...request,
    root,
    keyOf: (name) => ({ Bucket: bucket.bucket, Key: root + name }),
    fetched: join(workFolder, "fetched"),
    output: join(workFolder, "output"),
  };
  const shown = `s3://${bucket.bucket}/${root}`.replace(/\/$/, "");
  const told = async <T>(doing: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      request.signal.throwIfAborted();
      throw s3Fault(error, `${shown} cannot be ${doing}`);
    }
  };
  return {
    place: shown,
    workFolder,
    list: () => told("read", () => listObjects(place, "")),
    read: (name) => told("read", () => readText(place, name)),
    write: (name, text) => told("written", () => putText(place, name, text)),
    fetch: (names) => told("read", () => atOnce(names, callsAtATime, (name) => fetchObject(place, name))),
    release: () => rm(place.fetched, { recursive: true, force: true }),
    outputFolder: (name) =>
      told("written", async () => {
        const folder = join(place.output, name);
        await mkdir(dirname(folder), { recursive: true });
        return folder;
      }),
    stage: (name) => told("written", () => upload(place, name)),
    publish: (moves) =>
      told("written", async () => void (await atOnce(moves, callsAtATime, (move) => copy(place, move)))),
    remove: (names) =>
      told(
        "written",
        async () => void (await atOnce(names, callsAtATime, (name) => removeObject(place, name))),
      ),
    removeFolder: (name) => told("written", () => removeObjects(place, name)),
    close: async () => undefined,
  };
}

async function listObjects(place: Place, below: string): Promise<ReadonlyMap<string, FileFacts>> {
  const { ListObjectsV2Command } = await import("@aws-sdk/client-s3");
  const { Bucket, Key: Prefix } = place.keyOf(below);
  const client = await place.client();
  const files = new Map<string, FileFacts>();
  let ContinuationToken: string | undefined;
  do {
    const page = await client.send(new ListObjectsV2Command({ Bucket, Prefix, ContinuationToken }), {
      abortSignal: place.signal,
    });
    for (const { Key = "", Size = 0, LastModified } of page.Contents ?? []) {
      const name = Key.slice(place.root.length);
      if (name !== "" && !name.endsWith("/")) {
        files.set(name, { bytes: Size, modifiedMs: LastModified?.getTime() ?? 0 });
      }
    }
    ContinuationToken = page.IsTruncated === true ? page.NextContinuationToken : undefined;
  } while (ContinuationToken !== undefined);
  return files;
}

async function readText(place: Place, name: string): Promise<string | undefined> {
  const { GetObjectCommand, NoSuchKey } = await import("@aws-sdk/client-s3");
  const client = await place.client();
  try {
    const { Body } = await client.send(new GetObjectCommand(place.keyOf(name)), {
      abortSignal: place.signal,
    });
    return await Body?.transformToString();
  } catch (error) {
    if (error instanceof NoSuchKey) return undefined;
    throw error;
  }
}

async function putText(place: Place, name: string, text: string): Promise<void> {
  const { PutObjectCommand } = await import("@aws-sdk/client-s3");
  const client = await place.client();
  const command = new PutObjectCommand({ ...place.keyOf(name), Body: text, ContentType: "application/json" });
  await client.send(command, { abortSignal: place.signal });
}

async function fetchObject(place: Place, name: string): Promise<string> {
  const { GetObjectCommand } = await import("@aws-sdk/client-s3");
  const client = await place.client();
  const path = join(place.fetched, name);
  await mkdir(dirname(path), { recursive: true });
  const { Body } = await client.send(new GetObjectCommand(place.keyOf(name)), { abortSignal: place.signal });
  if (!(Body instanceof Readable)) throw new TypeError(`${name} came without a body`);
  await pipeline(Body, createWriteStream(path), { signal: place.signal });
  return path;
}

async function upload(place: Place, name: string): Promise<StoredFile> {
  const { Upload } = await import("@aws-sdk/lib-storage");
  const path = join(place.output, name);
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 ** 2 })) {
    hash.update(chunk as Buffer);
    bytes += (chunk as Buffer).length;
  }
  const params = { ...place.keyOf(name), Body: createReadStream(path) };
  const running = new Upload({ client: await place.client(), params, queueSize: 1 });
  const abort = (): void => void running.abort();
  place.signal.addEventListener("abort", abort);
  try {
    await running.done();
  } finally {
    place.signal.removeEventListener("abort", abort);
  }
  await rm(path);
  return { bytes, sha256: hash.digest("hex") };
}

async function copy(place: Place, { from, to }: Move): Promise<void> {
  const { CopyObjectCommand } = await import("@aws-sdk/client-s3");
  const client = await place.client();
  const { Bucket, Key } = place.keyOf(from);
  // Not every server decodes what need not have been encoded.
  const CopySource = encodeURIComponent(`${Bucket}/${Key}`).replaceAll("%2F", "/").replaceAll("%3D", "=");
  await client.send(new CopyObjectCommand({ ...place.keyOf(to), CopySource }), { abortSignal: place.signal });
}

async function removeObject(place: Place, name: string): Promise<void> {
  const { DeleteObjectCommand } = await import("@aws-sdk/client-s3");
  const client = await place.client();
  await client.send(new DeleteObjectCommand(place.keyOf(name)), { abortSignal: place.signal });
}

async function removeObjects(place: Place, name: string): Promise<void> {
  // First, as nothing can keep it here: the server may be away, or the run be stopped.
  const output = join(place.output, name);
  await rm(output, { recursive: true, force: true });
  for (const folder of [dirname(output), place.output]) await rmdir(folder).catch(() => undefined);
  const names = [...(await listObjects(place, `${name}/`)).keys()];
  // A record without what it speaks of could not be carried out.
  if (names.includes(recordName)) await removeObject(place, recordName);
  await atOnce(names, callsAtATime, (one) => removeObject(place, one));
}
