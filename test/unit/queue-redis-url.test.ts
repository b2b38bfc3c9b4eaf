import { describe, expect, it } from "vitest";
import { parseRedisUrl } from "../../src/queue/redis-url.ts";

const plain = { cluster: false, tls: false, username: undefined, password: undefined, database: 0 };

describe("Redis URL", () => {
  it.each([
    ["redis://localhost", { ...plain, nodes: [{ host: "localhost", port: 6379 }] }],
    ["redis://localhost:7000/", { ...plain, nodes: [{ host: "localhost", port: 7000 }] }],
    ["redis://10.0.0.1:7000/3", { ...plain, nodes: [{ host: "10.0.0.1", port: 7000 }], database: 3 }],
    [
      "rediss://cache.example.com:6380",
      { ...plain, tls: true, nodes: [{ host: "cache.example.com", port: 6380 }] },
    ],
    ["redis://[::1]:6380", { ...plain, nodes: [{ host: "::1", port: 6380 }] }],
    [
      "redis://me:p%40ss:w%2Frd@host:1",
      { ...plain, nodes: [{ host: "host", port: 1 }], username: "me", password: "p@ss:w/rd" },
    ],
    ["redis://:secret@host", { ...plain, nodes: [{ host: "host", port: 6379 }], password: "secret" }],
    [
      "rediss+cluster://me:secret@a:7000,b:7001,[::1]:7002",
      {
        nodes: [
          { host: "a", port: 7000 },
          { host: "b", port: 7001 },
          { host: "::1", port: 7002 },
        ],
        cluster: true,
        tls: true,
        username: "me",
        password: "secret",
        database: 0,
      },
    ],
  ])("%s is understood", (url, expected) => {
    expect(parseRedisUrl(url)).toEqual(expected);
  });

  it.each([
    "",
    "http://host",
    "redis://",
    "redis://:secret@",
    "redis://secret@host:port",
    "redis://secret@a b",
    "redis:/host",
  ])("%j is refused without being repeated", (url) => {
    const refused = () => parseRedisUrl(url);
    expect(refused).toThrow(expect.objectContaining({ code: "config_invalid" }));
    expect(refused).not.toThrow(/secret/);
  });
});
