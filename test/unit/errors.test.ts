import { describe, expect, it } from "vitest";
import type { ErrorCode } from "../../src/errors.ts";
import { AppError, errorCatalogue, toAppError } from "../../src/errors.ts";

const codes = Object.keys(errorCatalogue) as ErrorCode[];

describe("the error catalogue", () => {
  it("has a row for each code with a meaning, a remedy and an HTTP error status", () => {
    expect(codes.length).toBeGreaterThan(20);
    for (const code of codes) {
      const row = errorCatalogue[code];
      expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/);
      expect(row.meaning).toMatch(/^[A-Z].*\.$/);
      expect(row.remedy).toMatch(/^[A-Z].*[.`]$/);
      // 308 tells a client where to send the same request again.
      expect(row.status === 308 || row.status >= 400).toBe(true);
      expect(row.status).toBeLessThan(600);
    }
  });

  it("gives an error its status and retry class", () => {
    const error = new AppError("ledger_busy", "too many", { retryAfterMs: 500, details: { waiting: 9 } });
    expect(error).toMatchObject({
      status: 503,
      retry: "retry_after",
      retryAfterMs: 500,
      details: { waiting: 9 },
    });
  });
});

describe("toAppError", () => {
  it("leaves an AppError as it is", () => {
    const error = new AppError("conflict", "no");
    expect(toAppError(error)).toBe(error);
  });

  it.each([
    ["an error", new TypeError("x is not a function"), "x is not a function"],
    ["a string", "gone", "gone"],
    ["nothing", undefined, "undefined"],
  ])("makes a fault of ours of %s and keeps it as the cause", (_name, thrown, message) => {
    const error = toAppError(thrown);
    expect(error.code).toBe("internal");
    expect(error.message).toBe(message);
    expect(error.cause).toBe(thrown);
  });
});
