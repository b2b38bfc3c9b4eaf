import { inspect } from "node:util";
import { expect } from "vitest";
import type { ErrorCode } from "../../errors.ts";
import { AppError } from "../../errors.ts";
import type { DeskCase, DeskKit } from "./desk.ts";
import type { DeskFault } from "./desk-proxy.ts";

interface FaultRow {
  readonly what: string;
  readonly fault: DeskFault;
  readonly code: ErrorCode;
  readonly retryAfterMs?: number;
}

const html = "<!doctype html><title>Sign in</title>";

function answer(
  status: number,
  body = '{"error":"told by the desk"}',
  headers: Readonly<Record<string, string>> = {},
): DeskFault {
  return { kind: "answer", status, headers, body };
}

/** What a desk may do instead of answering properly, and the error that stands for it. */
const faults: readonly FaultRow[] = [
  { what: "a 400", fault: answer(400), code: "target_rejected" },
  { what: "a 401", fault: answer(401), code: "target_unauthorized" },
  { what: "a 403", fault: answer(403), code: "target_unauthorized" },
  { what: "a 404", fault: answer(404), code: "target_not_found" },
  { what: "a 409", fault: answer(409), code: "target_conflict" },
  { what: "a 413", fault: answer(413), code: "target_rejected" },
  { what: "a 422", fault: answer(422), code: "target_rejected" },
  {
    what: "a 429 that says how long to wait",
    fault: answer(429, "{}", { "retry-after": "7" }),
    code: "target_rate_limited",
    retryAfterMs: 7000,
  },
  { what: "a 429 that says nothing", fault: answer(429), code: "target_rate_limited" },
  { what: "a 500", fault: answer(500), code: "target_unavailable" },
  {
    what: "a 503 from a proxy",
    fault: answer(503, html, { "content-type": "text/html" }),
    code: "target_unavailable",
  },
  {
    what: "a redirect",
    fault: answer(302, "", { location: "http://127.0.0.1:9/" }),
    code: "target_protocol",
  },
  {
    what: "a page of HTML",
    fault: answer(200, html, { "content-type": "text/html" }),
    code: "target_protocol",
  },
  { what: "JSON of another kind", fault: answer(200, "[1,2]"), code: "target_protocol" },
  { what: "an empty answer", fault: answer(200, ""), code: "target_protocol" },
  { what: "half a body", fault: { kind: "half", body: '{"id":"tkt_' }, code: "target_protocol" },
  { what: "a connection that is cut", fault: { kind: "cut" }, code: "target_unavailable" },
  { what: "no answer in time", fault: { kind: "silent" }, code: "target_timeout" },
];

/** The cases about desks that fail. */
export const deskFaultCases: readonly DeskCase[] = [
  ...faults.map((row) => ({
    name: `takes ${row.what} for ${row.code}, and the next try works`,
    needs: ["ticket.open"] as const,
    run: (kit: DeskKit) => classifies(kit, row),
  })),
  { name: "says that the ticket of a key is not there", needs: ["ticket.note"], run: notThere },
  { name: "ends a call when its signal is aborted", needs: ["ticket.open"], run: aborts },
];

async function classifies(kit: DeskKit, { fault, code, retryAfterMs }: FaultRow): Promise<void> {
  const input = kit.newTicket({ message: "A text that belongs in no log." });
  const effect = kit.fresh("effect");
  kit.proxy.meet(fault);
  const before = kit.proxy.writes();
  const signal = fault.kind === "silent" ? AbortSignal.timeout(300) : undefined;
  const error: unknown = await kit
    .run("ticket.open", input, effect, signal)
    .catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(AppError);
  expect(error).toMatchObject({ code, retryAfterMs });
  // A write is not repeated behind the engine's back: it counts the attempts and keeps the budget.
  expect(kit.proxy.writes() - before).toBe(1);
  expectNothingPrivate(error, [input.message, input.requester.email ?? ""]);
  expect(await kit.run("ticket.open", input, effect)).toMatchObject({ result: "created" });
  expect((await kit.ticket(input.key))?.messages).toHaveLength(1);
}

function expectNothingPrivate(error: unknown, texts: readonly string[]): void {
  const shown = inspect(error, { depth: 10 });
  for (const text of texts) expect(shown).not.toContain(text);
}

async function notThere(kit: DeskKit): Promise<void> {
  const note = kit.run("ticket.note", { key: kit.fresh("key"), message: "Hello?" }, kit.fresh("effect"));
  await expect(note).rejects.toMatchObject({ code: "target_not_found" });
}

async function aborts(kit: DeskKit): Promise<void> {
  const input = kit.newTicket();
  const abort = new AbortController();
  kit.proxy.meet({ kind: "silent" });
  const arrival = kit.proxy.arrival();
  const call = kit.run("ticket.open", input, kit.fresh("effect"), abort.signal);
  await arrival;
  abort.abort(new Error("shutting down"));
  await expect(call).rejects.toThrow("shutting down");
  expect(await kit.ticket(input.key)).toBeUndefined();
}
