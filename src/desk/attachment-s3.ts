import type { S3Client } from "@aws-sdk/client-s3";
import { Readable } from "node:stream";
import { AppError } from "../errors.ts";
import type { AttachmentFiles } from "./attachment-file.ts";
import { storageFault } from "./attachment-file.ts";

/** A bucket of an S3-compatible server. */
export interface Bucket {
  readonly bucket: string;
  readonly region: string;
  /** AWS when undefined. */
  readonly endpoint?: string | undefined;
  readonly pathStyle: boolean;
  /** What the names of objects begin with. */
  readonly prefix: string;
  /** Undefined where the machine has a role of its own. */
  readonly accessKeyId?: string | undefined;
  readonly secretAccessKey?: string | undefined;
}

/** Attachments in a bucket, which must be there. Large ones go up in parts; what was begun and not finished is taken back. */
export async function openS3Files(bucket: Bucket): Promise<AttachmentFiles> {
  // Only here: the client is large, and most run without it.
  const { DeleteObjectCommand, GetObjectCommand, NoSuchKey } = await import("@aws-sdk/client-s3");
  const { Upload } = await import("@aws-sdk/lib-storage");
  const client = await openClient(bucket);
  const place = (name: string) => ({ Bucket: bucket.bucket, Key: bucket.prefix + name });
  return {
    write: async (name, source) => {
      const fault: { error?: unknown } = {};
      try {
        const body = Readable.from(noting(source, fault), { objectMode: false });
        const upload = new Upload({ client, params: { ...place(name), Body: body }, queueSize: 2 });
        await upload.done();
      } catch (error) {
        // That the source broke off is the reason, whatever the client then made of it.
        throw storageFault(fault.error ?? error, "stored");
      }
    },
    read: async (name) => {
      try {
        const { Body } = await client.send(new GetObjectCommand(place(name)));
        if (Body instanceof Readable) return Body;
      } catch (error) {
        if (!(error instanceof NoSuchKey)) throw storageFault(error, "read");
      }
      throw new AppError("not_found", "the file of this attachment is not there any more");
    },
    remove: async (name) => {
      try {
        await client.send(new DeleteObjectCommand(place(name)));
      } catch (error) {
        throw storageFault(error, "removed");
      }
    },
    close: async () => client.destroy(),
  };
}

async function* noting(
  source: AsyncIterable<Buffer>,
  fault: { error?: unknown },
): AsyncGenerator<Buffer, void> {
  try {
    yield* source;
  } catch (error) {
    fault.error = error;
    throw error;
  }
}

async function openClient(bucket: Bucket): Promise<S3Client> {
  const { S3Client: Client } = await import("@aws-sdk/client-s3");
  const { region, endpoint, pathStyle, accessKeyId, secretAccessKey } = bucket;
  return new Client({
    region,
    forcePathStyle: pathStyle,
    // Servers other than AWS do not all know the checksums that the client would add.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(accessKeyId === undefined || secretAccessKey === undefined
      ? {}
      : { credentials: { accessKeyId, secretAccessKey } }),
  });
}
