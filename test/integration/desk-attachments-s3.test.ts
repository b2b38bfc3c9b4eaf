import { randomBytes } from "node:crypto";
import { readdir } from "node:fs/promises";
import { Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AttachmentFiles } from "../../src/desk/attachment-file.ts";
import { openS3Files } from "../../src/desk/attachment-s3.ts";
import { linkedAttachment } from "../../src/desk/schema-attachment.ts";
import { AppError } from "../../src/errors.ts";
import { openDeskStand } from "../support/desk.ts";
import { idOf } from "../support/end-user.ts";
import type { S3Server } from "../support/s3-server.ts";
import { openS3Server } from "../support/s3-server.ts";

let server: S3Server;
let files: AttachmentFiles;

beforeAll(async () => {
  server = await openS3Server();
  files = await openS3Files(server.bucket);
});
afterAll(async () => {
  await files.close();
  await server.close();
});

async function bytesOf(name: string): Promise<Buffer> {
  return Buffer.concat((await (await files.read(name)).toArray()) as Buffer[]);
}

async function objects(): Promise<string[]> {
  const found = await readdir(server.folder, { recursive: true });
  return found.filter((path) => path.endsWith("_object"));
}

describe("files in a bucket", () => {
  it("come back as they went, small ones and those that go up in parts", async () => {
    for (const size of [1, 13 * 1024 ** 2]) {
      const bytes = randomBytes(size);
      const chunks = Array.from({ length: Math.ceil(size / 65_536) }, (_, at) =>
        bytes.subarray(at * 65_536, (at + 1) * 65_536),
      );
      await files.write(`of-${size}`, Readable.from(chunks));
      expect((await bytesOf(`of-${size}`)).equals(bytes)).toBe(true);
      await files.remove(`of-${size}`);
      await files.remove(`of-${size}`);
      await expect(files.read(`of-${size}`)).rejects.toMatchObject({ code: "not_found" });
    }
    expect(await objects()).toEqual([]);
  });

  it.each([100_000, 7 * 1024 ** 2])(
    "that break off after %i bytes are not there, for the reason they had",
    async (size) => {
      async function* broken(): AsyncGenerator<Buffer, void> {
        yield Buffer.alloc(size);
        throw new AppError("body_too_large", "it is too large");
      }
      await expect(files.write("broken", broken())).rejects.toMatchObject({ code: "body_too_large" });
      await expect(files.read("broken")).rejects.toMatchObject({ code: "not_found" });
    },
  );

  it("of a server that is away are a fault of storage", async () => {
    const away = await openS3Files({ ...server.bucket, endpoint: "http://127.0.0.1:1" });
    await expect(away.write("x", Readable.from([Buffer.from("x")]))).rejects.toMatchObject({
      code: "storage_unavailable",
    });
    await expect(away.read("x")).rejects.toMatchObject({ code: "storage_unavailable" });
    await away.close();
  });

  it("are those of the desk's attachments where it is told so", async () => {
    const stand = await openDeskStand({ attachments: { files: await openS3Files(server.bucket) } });
    const address = await stand.listen();
    const made = await stand.send({
      method: "POST",
      path: "/v1/attachments?filename=a.txt",
      body: "kept in a bucket",
      headers: { "content-type": "text/plain" },
    });
    const linked = linkedAttachment.parse(
      (await stand.send({ method: "GET", path: `/v1/attachments/${idOf(made)}` })).json,
    );
    const { pathname, search } = new URL(linked.download_url);
    expect(await (await fetch(`${address}${pathname}${search}`)).text()).toBe("kept in a bucket");
    expect(await objects()).toHaveLength(1);
    stand.setNow(Date.now() + 25 * 3_600_000);
    await stand.desk.maintain();
    expect(await objects()).toEqual([]);
    await stand.close();
  });
});
