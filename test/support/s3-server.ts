import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import S3rver from "s3rver";
import type { Bucket } from "../../src/desk/attachment-s3.ts";

/** An S3-compatible server with a bucket, on this machine. */
export interface S3Server {
  readonly bucket: Bucket;
  /** Where its objects lie. */
  readonly folder: string;
  readonly close: () => Promise<void>;
}

export async function openS3Server(): Promise<S3Server> {
  const folder = await mkdtemp(join(tmpdir(), "deskbridge-s3-"));
  const configureBuckets = [{ name: "files", configs: [] }];
  const server = new S3rver({
    port: 0,
    address: "127.0.0.1",
    silent: true,
    directory: folder,
    configureBuckets,
  });
  const { port } = await server.run();
  return {
    bucket: {
      bucket: "files",
      region: "us-east-1",
      endpoint: `http://127.0.0.1:${port}`,
      pathStyle: true,
      prefix: "desk/",
      accessKeyId: "S3RVER",
      secretAccessKey: "S3RVER",
    },
    folder,
    close: async () => {
      await server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
