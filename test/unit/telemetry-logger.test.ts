import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AppError } from "../../src/errors.ts";
import { createLogger } from "../../src/telemetry/logger.ts";
import type { LoggerOptions } from "../../src/telemetry/logger.ts";
import { createRedactor, redacted, shortestSecret } from "../../src/telemetry/redaction.ts";

function captured(options: Partial<LoggerOptions> = {}) {
  const lines: string[] = [];
  const logger = createLogger({
    level: "debug",
    destination: { write: (line) => void lines.push(line) },
    ...options,
  });
  return { logger, lines, parsed: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

const anySecret = fc
  .oneof(
    fc.string({ minLength: shortestSecret, maxLength: 60 }),
    fc.string({ unit: "binary", minLength: shortestSecret, maxLength: 30 }),
    fc.string({ unit: fc.constantFrom(...Array.from("0123456789")), minLength: 8, maxLength: 14 }),
    fc.string({
      unit: fc.constantFrom(...Array.from('aZ9 /+=&?%"\\\n{}:,')),
      minLength: shortestSecret,
      maxLength: 30,
    }),
    fc.base64String({ minLength: 16, maxLength: 64 }),
  )
  // A string that is part of every line anyway tells nobody anything.
  .filter(
    (secret) =>
      !JSON.stringify({
        level: "info",
        time: "2026-11-22T10:00:00.000Z",
        pid: 0,
        err: { type: "Error", message: redacted, code: "target_rejected", details: [redacted], cause: "" },
        msg: redacted,
        k: [{ a: redacted, q: redacted }],
      }).includes(secret),
  )
  .filter((secret) => secret.trim().length >= shortestSecret && !redacted.includes(secret.trim()));

type Shape = (secret: string) => {
  readonly fields?: object;
  readonly bindings?: object;
  readonly message?: string;
};

const shapes: Record<string, Shape> = {
  "the message": (s) => ({ message: `refused ${s}!` }),
  "a field": (s) => ({ fields: { reason: s } }),
  "a number": (s) => ({ fields: { count: Number(s) } }),
  "a key": (s) => ({ fields: { [`x${s}`]: 1 } }),
  "a nested list": (s) => ({ fields: { a: [1, { b: [`${s}${s}`] }] } }),
  "a child's binding": (s) => ({ bindings: { account: s } }),
  "an error": (s) => ({ fields: { err: new Error(`no ${s} here`) } }),
  "an error's cause": (s) => ({ fields: { err: new Error("outer", { cause: new TypeError(s) }) } }),
  "an error's details": (s) => ({
    fields: { err: new AppError("target_rejected", "refused", { details: { answer: { words: [s] } } }) },
  }),
  "a thrown string": (s) => ({ fields: { err: s } }),
  "a field that is an error": (s) => ({
    fields: { problem: Object.assign(new Error("x"), { config: { url: s } }) },
  }),
  "a query string": (s) => ({
    fields: { url: `https://desk.example/v1?a=1&q=${encodeURIComponent(s.toWellFormed())}` },
  }),
  "a form": (s) => ({ fields: { sent: new URLSearchParams({ q: s }).toString() } }),
  "JSON in a string": (s) => ({ fields: { answer: JSON.stringify({ echoed: s }) } }),
  "an object with toJSON": (s) => ({ fields: { request: { toJSON: () => ({ inner: s }) } } }),
};

describe("the logger", () => {
  it.each(Object.entries(shapes))("never lets a known secret through in %s", (_name, shape) => {
    fc.assert(
      fc.property(anySecret, fc.boolean(), (secret, later) => {
        const redactor = createRedactor();
        const { logger, lines } = captured(later ? { redactor } : { secrets: [secret] });
        if (later) redactor.add([secret]);
        const { fields = {}, bindings = {}, message = "happened" } = shape(secret);
        logger.child(bindings).info(fields, message);
        expect(lines).toHaveLength(1);
        const line = (lines[0] ?? "").replace(/^\{"level":"info","time":"[^"]*","pid":\d+/, "");
        expect(line).not.toContain(secret);
        expect(line).not.toContain(JSON.stringify(secret).slice(1, -1));
        expect(line).not.toContain(encodeURIComponent(secret.toWellFormed()));
        expect(() => JSON.parse(lines[0] ?? "") as unknown).not.toThrow();
      }),
      { numRuns: 150 },
    );
  });

  it("hides every secret when several overlap", () => {
    const { logger, lines } = captured({ secrets: ["sesame", "open sesame now", "w then"] });
    logger.info("open sesame now then open sesame");
    expect(lines[0]).not.toMatch(/sesame|w then/);
  });

  it("hides a secret of several lines also when one line of it turns up", () => {
    const pem = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\n-----END PRIVATE KEY-----\n";
    const { logger, lines } = captured({ secrets: [pem] });
    logger.info({ found: "MIIEvQIBADANBgkqhkiG9w0B" }, "odd");
    expect(lines[0]).not.toContain("MIIEvQIBADANBgkqhkiG9w0B");
  });

  it.each([
    "authorization",
    "Authorization",
    "proxy-authorization",
    "cookie",
    "set-cookie",
    "password",
    "dbPassword",
    "client_secret",
    "clientSecret",
    "secrets",
    "token",
    "accessToken",
    "api_key",
    "apiKey",
    "x-api-key",
    "privateKey",
    "email",
    "customerEmail",
    "phone",
    "phoneNumber",
    "name",
    "firstName",
    "address",
    "shippingAddress",
    "city",
    "postalCode",
    "headers",
    "body",
    "raw",
    "data",
    "text",
  ])("takes out whatever stands under %s, at any depth", (key) => {
    const { logger, parsed } = captured();
    logger.info({ [key]: "Jo Doe", deep: [{ [key]: { inner: ["Jo Doe"] } }], n: { [key]: 12 } }, "line");
    logger.child({ [key]: "Jo Doe" }).info("line");
    const [first, second] = parsed();
    expect(first).toMatchObject({ [key]: redacted, deep: [{ [key]: redacted }], n: { [key]: redacted } });
    expect(second).toMatchObject({ [key]: redacted });
  });

  it.each([
    ["an e-mail address", "user jo.doe+x@shop.example.com is unknown", "jo.doe"],
    ["an international e-mail address", "user jö@exämple.de is unknown", "jö"],
    ["a phone number", "cannot call +4915112345678 now", "4915112345678"],
    ["a bearer token", "sent Bearer abc.def-123", "abc.def"],
    ["basic credentials", "sent basic dXNlcjpwYXNz==", "dXNlcjpwYXNz"],
    ["a password in a URL", "connect postgres://bob:hunter2@db.example/x failed", "hunter2"],
    ["a password alone in a URL", "connect redis://:hunter2@cache.example failed", "hunter2"],
    ["a token in a query", "GET /v1/x?page=2&access_token=abc123&b=1 failed", "abc123"],
  ])("takes %s out of text", (_name, message, personal) => {
    const { logger, lines } = captured();
    logger.warn({ err: new Error(message), said: message }, message);
    expect(lines[0]).not.toContain(personal);
    expect(lines[0]?.split(redacted)).toHaveLength(5);
  });

  it("leaves a line of ids as it is", () => {
    const { logger, parsed } = captured({ secrets: ["not-in-here"] });
    const line = {
      delivery: 12,
      sequence: 7,
      flow: "fulfillment-errors",
      target: "desk",
      lane: "order/1001",
      outcome: "done",
      ms: 12,
    };
    logger.info(line, "delivery over");
    expect(parsed()[0]).toEqual({
      level: "info",
      time: expect.any(String) as string,
      pid: process.pid,
      ...line,
      msg: "delivery over",
    });
  });

  it("keeps type, code and details of an error, a stack for our own faults only, and nothing else that hangs on it", () => {
    const { logger, parsed } = captured();
    const broken = Object.assign(new Error("socket hang up"), {
      code: "ECONNRESET",
      request: { path: "/x" },
    });
    logger.error(
      { err: new AppError("target_unavailable", "no answer", { details: { status: 502 }, cause: broken }) },
      "x",
    );
    expect(parsed()[0]?.["err"]).toEqual({
      type: "AppError",
      message: "no answer",
      code: "target_unavailable",
      details: { status: 502 },
      cause: {
        type: "Error",
        message: "socket hang up",
        code: "ECONNRESET",
        stack: expect.any(String) as string,
      },
    });
  });

  it("ends a chain of causes that goes in a circle", () => {
    const { logger, lines } = captured();
    const error = new Error("round");
    error.cause = error;
    logger.error({ err: error }, "x");
    expect(lines).toHaveLength(1);
  });

  it("stays quick on long hostile text", () => {
    const { text, line } = createRedactor(["a known secret"]);
    const started = performance.now();
    for (const part of ["a", "ip", "//", "?key", "+1", "a.", "basic ", '\\"name']) {
      const long = part.repeat(100_000 / part.length);
      expect(text(long).length).toBeGreaterThan(0);
      expect(line(JSON.stringify({ long })).length).toBeGreaterThan(0);
    }
    expect(performance.now() - started).toBeLessThan(3000);
  });

  it("writes for people when asked, redacted the same", () => {
    const { logger, lines } = captured({ pretty: true, secrets: ["open sesame"] });
    logger.info({ flow: "a" }, "said open sesame");
    expect(lines.join("")).toMatch(/INFO.*said \[redacted\]/);
  });
});
