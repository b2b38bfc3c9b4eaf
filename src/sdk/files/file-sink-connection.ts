import type { S3Client } from "@aws-sdk/client-s3";
import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { AppError } from "../../errors.ts";
import type { CheckResult, Connection, ConnectorContext } from "../connector.ts";
import { checkFolder } from "./check-folder.ts";
import type { FormatName } from "./file-format.ts";
import type { BucketConfig, FileSinkConfig } from "./file-sink-config.ts";
import type { OpenTableFiles } from "./file-sink.ts";
import { createFileSink } from "./file-sink.ts";
import { createLocalFiles } from "./local-files.ts";
import { openS3Client } from "./s3-client.ts";
import { createS3Files } from "./s3-files.ts";

/** Where the tables of a connection are. */
interface Warehouse {
  readonly openTable: OpenTableFiles;
  readonly check: (signal: AbortSignal) => Promise<readonly CheckResult[]>;
  readonly close: () => Promise<void>;
}

/** A connection of a connector that writes files of one format. */
export function createFileSinkConnection(
  format: FormatName,
  settings: FileSinkConfig,
  { logger, now }: ConnectorContext,
): Connection {
  const { openTable, check, close } = openWarehouse(settings);
  return { sink: createFileSink({ format, logger, now, openTable }), check, close };
}

function openWarehouse({ path, s3, workDir }: FileSinkConfig): Warehouse {
  if (s3 !== undefined) return openBucket(s3, workDir ?? tmpdir());
  const root = resolve(path ?? ".");
  return {
    openTable: (name) => {
      const folder = join(root, name);
      return createLocalFiles(folder, workDir === undefined ? undefined : workFolder(workDir, folder));
    },
    check: () => checkFolder(root),
    close: async () => undefined,
  };
}

function openBucket(bucket: BucketConfig, workDir: string): Warehouse {
  let opened: Promise<S3Client> | undefined;
  const client = (): Promise<S3Client> => (opened ??= openS3Client(bucket));
  const place = `${bucket.endpoint ?? "aws"} ${bucket.bucket} ${bucket.prefix}`;
  return {
    openTable: (table, { signal, workFolder: own }) =>
      createS3Files({
        client,
        bucket,
        table,
        signal,
        workFolder: own ?? workFolder(workDir, `${place}${table}`),
      }),
    check: async (signal) => [
      ...(await checkBucket(client, bucket, signal)),
      ...(await checkFolder(resolve(workDir))),
    ],
    close: async () => {
      (await opened?.catch(() => undefined))?.destroy();
    },
  };
}

/** Whether objects can be written, found, read and removed. */
async function checkBucket(
  client: () => Promise<S3Client>,
  bucket: BucketConfig,
  signal: AbortSignal,
): Promise<readonly CheckResult[]> {
  const files = createS3Files({ client, bucket, table: "_check", signal, workFolder: tmpdir() });
  const name = `${process.pid}`;
  try {
    await files.write(name, "deskbridge");
    const isThere = (await files.list()).has(name) && (await files.read(name)) === "deskbridge";
    await files.remove([name]);
    const detail = isThere
      ? `${bucket.bucket} can be written to`
      : `${bucket.bucket} does not show what was written`;
    return [{ name: "bucket", ok: isThere, detail }];
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return [{ name: "bucket", ok: false, detail: error.message }];
  }
}

/** The same for a table in every process, so that what one leaves behind is found by the next. */
function workFolder(workDir: string, place: string): string {
  const name = createHash("sha256").update(place).digest("hex").slice(0, 16);
  return resolve(workDir, `deskbridge-${name}`);
}
