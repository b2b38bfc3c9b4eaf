import type { DeskWrite, WriteKind } from "./desk-write.ts";
import { refSource } from "./desk-write.ts";

/** A write as a request of the Support API, ready to be put on a socket. */
export function writeRequest(write: DeskWrite, kind: WriteKind, host: string, key: string): Buffer {
  const address = `/v1/tickets/by-ref/${refSource}/${encodeURIComponent(write.ticket)}`;
  return kind === "upserts"
    ? request("PUT", address, upsertBody(write), host, key)
    : request("POST", `${address}/messages`, { text: write.text }, host, key);
}

function upsertBody({ requester, subject, text, messageRef }: DeskWrite): object {
  const ref = { source: refSource, external_id: messageRef };
  return { subject, requester, message: { text, ref } };
}

function request(method: string, path: string, content: object, host: string, key: string): Buffer {
  const body = JSON.stringify(content);
  const head = [
    `${method} ${path} HTTP/1.1`,
    `Host: ${host}`,
    `Authorization: Bearer ${key}`,
    "Content-Type: application/json",
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  return Buffer.from(`${head.join("\r\n")}\r\n\r\n${body}`);
}
