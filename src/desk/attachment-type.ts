import { fileTypeFromBuffer } from "file-type";

/** Types that are taken unless told otherwise. Nothing that runs, and no markup that a browser might run. */
export const usualTypes: readonly string[] = [
  "image/*",
  "audio/*",
  "video/*",
  "text/plain",
  "text/csv",
  "text/calendar",
  "text/markdown",
  "application/json",
  "application/pdf",
  "application/rtf",
  "application/zip",
  "application/gzip",
  "application/x-7z-compressed",
  "application/x-cfb",
  "application/msword",
  "application/vnd.ms-excel",
  "application/vnd.ms-powerpoint",
  "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
  "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
  "application/vnd.openxmlformats-officedocument.presentationml.presentation",
  "application/vnd.oasis.opendocument.text",
  "application/vnd.oasis.opendocument.spreadsheet",
  "application/vnd.oasis.opendocument.presentation",
];

/** Of text a sender may say what it is, within these; any other text is plain. */
const textTypes = new Set(["text/plain", "text/csv", "text/calendar", "text/markdown", "application/json"]);

/** How many of the first bytes tell a type. */
export const sniffedBytes = 65_536;

/**
 * The type of a file by its first bytes; what the sender said decides only between kinds of text. `application/octet-stream` for what is neither known
 * nor text.
 */
export async function typeOfFile(head: Buffer, said: string | undefined): Promise<string> {
  const sniffed = await fileTypeFromBuffer(head);
  if (sniffed !== undefined) return sniffed.mime.split(";", 1)[0] ?? sniffed.mime;
  if (!isText(head)) return "application/octet-stream";
  const type = said?.split(";", 1)[0]?.trim().toLowerCase() ?? "";
  return textTypes.has(type) ? type : "text/plain";
}

function isText(head: Buffer): boolean {
  // The head may end within a character.
  const decoder = new TextDecoder("utf-8", { fatal: true });
  try {
    const text = decoder.decode(head, { stream: head.length >= sniffedBytes });
    // oxlint-disable-next-line no-control-regex
    return !/[\0-\b\x0e-\x1a\x1c-\x1f]/.test(text);
  } catch {
    return false;
  }
}

/** Whether a type is among those of a list, where `image/*` is all of a kind. */
export function isTaken(type: string, taken: readonly string[]): boolean {
  if (type === "image/svg+xml") return taken.includes(type);
  return taken.includes(type) || taken.includes(`${type.split("/", 1)[0]}/*`);
}
