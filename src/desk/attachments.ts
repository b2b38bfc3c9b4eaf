import { createHash } from "node:crypto";
import type { Readable } from "node:stream";
import type { Logger } from "pino";
import { AppError } from "../errors.ts";
import type { AttachmentFiles } from "./attachment-file.ts";
import { newFileName } from "./attachment-file.ts";
import type { LinkQuery, LinkSigner } from "./attachment-link.ts";
import { createLinkSigner } from "./attachment-link.ts";
import { isTaken, sniffedBytes, typeOfFile, usualTypes } from "./attachment-type.ts";
import type { StoredFile } from "./store/attachments.ts";
import type { DeskStore } from "./store/store.ts";
import type { Write, Written } from "./store/write.ts";

/** Settings for attachments. */
export interface AttachmentOptions {
  /** The desk closes it. */
  readonly files: AttachmentFiles;
  readonly maxBytes: number;
  /** Types that are taken; `usualTypes` when undefined. */
  readonly types?: readonly string[] | undefined;
  readonly linkLifetimeMs: number;
  /** Where clients reach this server; how they reached it when undefined. */
  readonly publicUrl?: string | undefined;
}

interface Upload {
  readonly content: Readable;
  /** The `Content-Type` of the request. */
  readonly saidType: string | undefined;
  readonly saidLength: number | undefined;
  readonly filename: string;
  /** The end user who sends it. */
  readonly uploader: number | undefined;
  readonly actor: string;
  /** The idempotency of the write, given the SHA-256 of what was sent. */
  readonly idempotencyOf: (sha256: string) => Write["idempotency"];
}

interface Download extends StoredFile {
  readonly content: Readable;
}

/** Files of messages. */
export interface Attachments {
  /** Takes a file in, as a stream. Where it throws, nothing is left of it: neither bytes nor a row. */
  readonly take: (upload: Upload) => Promise<Written>;
  /** The query of an address that hands the file out for a time. */
  readonly sign: LinkSigner["sign"];
  /** The file of such an address; throws `forbidden` and `not_found`. The caller reads or destroys the content. */
  readonly open: (attachment: number, query: LinkQuery) => Promise<Download>;
  /** Removes files that no message took within a day, that were never finished, and that were erased. */
  readonly sweep: () => Promise<void>;
  readonly publicUrl: string | undefined;
  readonly close: () => Promise<void>;
}

const dayMs = 86_400_000;
const sweepBatch = 200;

interface AttachmentParts extends AttachmentOptions {
  readonly store: DeskStore;
  readonly logger: Logger;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

export function createAttachments(parts: AttachmentParts): Attachments {
  const { store, files, now, linkLifetimeMs, publicUrl } = parts;
  const links = createLinkSigner({ store: store.attachments, now, lifetimeMs: linkLifetimeMs });
  return {
    take: (upload) => drained(upload.content, (rest) => takeFile(upload, rest, parts)),
    sign: links.sign,
    open: async (attachment, query) => {
      await links.check(attachment, query);
      const found = await store.attachments.findFile(attachment);
      if (found === undefined) throw new AppError("not_found", "there is no such attachment");
      return { ...found, content: await files.read(found.file) };
    },
    sweep: async () => {
      const wasted = (): Promise<readonly string[]> =>
        store.attachments.wastedFiles(new Date(now()), new Date(now() - dayMs), sweepBatch);
      for (let due = await wasted(); due.length > 0; due = await wasted()) {
        for (const file of due) await discard(file, parts);
      }
    },
    publicUrl,
    close: files.close,
  };
}

async function takeFile(
  upload: Upload,
  rest: AsyncIterator<Buffer, undefined>,
  parts: AttachmentParts,
): Promise<Written> {
  const { store, files, now, maxBytes } = parts;
  const checked = await checkUpload(upload, rest, parts);
  const file = newFileName();
  await store.attachments.noteFile(file, new Date(now() + dayMs));
  try {
    const { size, sha256 } = await measured(checked, maxBytes, (source) => files.write(file, source));
    const { filename, uploader, actor, idempotencyOf } = upload;
    const input = { file, filename, content_type: checked.type, size, sha256 };
    const written = await store.write({
      operation: "create_attachment",
      input: uploader === undefined ? input : { ...input, uploader },
      actor,
      idempotency: idempotencyOf(sha256),
    });
    if (written.replayed) await discardUnused(file, parts);
    return written;
  } catch (error) {
    await discardUnused(file, parts);
    throw error;
  }
}

async function discard(file: string, { files, store }: AttachmentParts): Promise<void> {
  await files.remove(file);
  await store.attachments.forgetFile(file);
}

/** A write whose answer was lost may have made an attachment of the file all the same. */
async function discardUnused(file: string, parts: AttachmentParts): Promise<void> {
  try {
    if (await parts.store.attachments.isWaste(file)) await discard(file, parts);
  } catch (error) {
    parts.logger.warn({ err: error }, "a file could not be removed; it is tried again");
  }
}

/**
 * Reads a stream that is the body of a request. What is left of it after a fault is read and thrown away: the answer goes over the same connection, and so do
 * the client's next requests.
 */
async function drained<T>(
  content: Readable,
  read: (rest: AsyncIterator<Buffer, undefined>) => Promise<T>,
): Promise<T> {
  const rest = content.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer, undefined>;
  try {
    return await read(rest);
  } catch (error) {
    // Not waited for: the client may be slow to send the rest.
    void rest.return?.().then(
      () => content.resume(),
      () => undefined,
    );
    throw error;
  }
}

interface Checked {
  readonly head: readonly Buffer[];
  readonly rest: AsyncIterator<Buffer, undefined>;
  readonly type: string;
}

/** Reads as much as tells the type; throws `body_too_large`, `unsupported_media_type`, and `bad_request` for an empty file. */
async function checkUpload(
  { saidType, saidLength }: Upload,
  rest: AsyncIterator<Buffer, undefined>,
  { maxBytes, types = usualTypes }: AttachmentOptions,
): Promise<Checked> {
  if (saidLength !== undefined && saidLength > maxBytes) throw tooLarge(maxBytes);
  const head: Buffer[] = [];
  let size = 0;
  while (size < sniffedBytes) {
    const { done, value } = await rest.next();
    if (done === true) break;
    head.push(value);
    size += value.length;
  }
  if (size === 0) throw new AppError("bad_request", "the body is empty; send the bytes of the file");
  const type = await typeOfFile(Buffer.concat(head).subarray(0, sniffedBytes), saidType);
  if (!isTaken(type, types)) {
    throw new AppError("unsupported_media_type", `files of the type ${type} are not taken`);
  }
  return { head, rest, type };
}

/** Hands a file to who writes it, and tells its size and hash when that is done. */
async function measured(
  { head, rest }: Checked,
  maxBytes: number,
  write: (source: AsyncIterable<Buffer>) => Promise<void>,
): Promise<{ readonly size: number; readonly sha256: string }> {
  const hash = createHash("sha256");
  let size = 0;
  const metered = (chunk: Buffer): Buffer => {
    size += chunk.length;
    if (size > maxBytes) throw tooLarge(maxBytes);
    hash.update(chunk);
    return chunk;
  };
  async function* source(): AsyncGenerator<Buffer, void> {
    for (const chunk of head) yield metered(chunk);
    for (;;) {
      const { done, value } = await rest.next();
      if (done === true) return;
      yield metered(value);
    }
  }
  await write(source());
  return { size, sha256: hash.digest("hex") };
}

function tooLarge(maxBytes: number): AppError {
  return new AppError("body_too_large", `the file is larger than ${maxBytes} bytes`);
}
