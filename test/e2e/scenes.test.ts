import { createHmac } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { temporaryDataDir } from "../support/data-dir.ts";
import { runExample, startExample } from "../support/example-program.ts";
import type { Scene } from "../support/scene.ts";
import { openScene } from "../support/scene.ts";

interface Ticket {
  readonly id: string;
  readonly number: number;
  readonly status: string;
  readonly priority: string;
  readonly tags: readonly string[];
  readonly requester: { readonly id: string; readonly email: string };
  readonly orders: readonly { readonly id: string; readonly external_id: string }[];
  readonly csat: { readonly score: number; readonly comment: string | null } | null;
}

interface List<T> {
  readonly data: readonly T[];
}

interface Message {
  readonly text: string;
  readonly visibility: string;
}

let scene: Scene;

beforeAll(async () => {
  scene = await openScene();
  return () => scene.close();
});

const newTicket = (subject: string, more: object = {}) =>
  scene.ask<Ticket>("POST", "/v1/tickets", {
    subject,
    requester: { email: "ada@example.com" },
    message: { text: "Where is it?" },
    ...more,
  });

const ticketOf = (id: string) => scene.ask<Ticket>("GET", `/v1/tickets/${id}`);

describe("a back-office tool", () => {
  const error = {
    id: "F77",
    at: "2026-11-22T10:00:00Z",
    reason: "The label printer refused the address.",
    order: { id: "1001", name: "#1001", totalCents: 25_900, currency: "EUR" },
    customer: { id: "42", email: "grace@example.com", name: "Grace Hopper" },
  };

  it("files one ticket for a fulfillment error that it reports twice, with customer and order", async () => {
    const folder = await temporaryDataDir();
    onTestFinished(folder.remove);
    const file = join(folder.path, "errors.jsonl");
    const again = { ...error, at: "2026-11-22T11:00:00Z", reason: "It refused the address again." };
    await writeFile(file, [error, error, again].map((one) => JSON.stringify(one)).join("\n"));
    const { key } = await scene.newKey("back-office", ["tickets:write"]);
    const variables = { DESK_URL: scene.process.url, DESK_KEY: key };
    const printed = await runExample("back-office/report-errors.ts", [file], variables);
    expect(
      printed
        .trim()
        .split("\n")
        .map((line) => line.split(" ").at(-1)),
    ).toEqual(["created", "unchanged", "appended"]);

    const tickets = await scene.ask<List<Ticket>>("GET", "/v1/tickets?tag=fulfillment-error");
    expect(tickets.data).toMatchObject([
      {
        status: "new",
        priority: "high",
        requester: { email: "grace@example.com", name: "Grace Hopper" },
        refs: [{ source: "back-office", external_id: "fulfillment:F77" }],
        orders: [
          { source: "shop", external_id: "1001", name: "#1001", total: { minor: 25_900, currency: "EUR" } },
        ],
      },
    ]);
    const [ticket] = tickets.data;
    const messages = await scene.ask<List<Message>>("GET", `/v1/tickets/${ticket?.id}/messages`);
    expect(messages.data.map(({ text, visibility }) => [text, visibility])).toEqual([
      [error.reason, "internal"],
      [again.reason, "internal"],
    ]);
    const ofOrder = await scene.ask<List<Ticket>>("GET", `/v1/orders/${ticket?.orders[0]?.id}/tickets`);
    expect(ofOrder.data.map(({ id }) => id)).toEqual([ticket?.id]);
    const customer = await scene.ask<{ id: string }>("GET", "/v1/contacts/by-ref/shop/42");
    expect(customer.id).toBe(ticket?.requester.id);
  });
});

describe("a survey after the purchase", () => {
  const secret = "secret-of-the-survey-tool";

  async function startReceiver() {
    const { key } = await scene.newKey("survey", ["tickets:write"]);
    const variables = { DESK_URL: scene.process.url, DESK_KEY: key, SURVEY_SECRET: secret };
    const receiver = await startExample("survey/take-ratings.ts", variables);
    onTestFinished(receiver.stop);
    return async (answer: object, signedWith = secret): Promise<readonly [number, unknown]> => {
      const body = JSON.stringify(answer);
      const signature = createHmac("sha256", signedWith).update(body).digest("hex");
      const sent = await fetch(receiver.url, { method: "POST", body, headers: { "x-signature": signature } });
      return [sent.status, await sent.json()];
    };
  }

  it("closes the ticket with a good score, opens it with a bad one, and leaves it with one between", async () => {
    const send = await startReceiver();
    const [good, bad, between] = await Promise.all(["good", "bad", "between"].map((name) => newTicket(name)));
    for (const { id } of [bad!, between!])
      await scene.ask("PATCH", `/v1/tickets/${id}`, { status: "solved" });

    expect(await send({ id: "s1", ticket: good!.id, score: 5, comment: "Quick." })).toEqual([
      200,
      { outcome: "closed" },
    ]);
    expect(await ticketOf(good!.id)).toMatchObject({
      status: "closed",
      csat: { score: 5, comment: "Quick." },
    });

    const complaint = { id: "s2", ticket: bad!.id, score: 1, comment: "Never came." };
    expect(await send(complaint)).toEqual([200, { outcome: "opened" }]);
    expect(await send(complaint)).toEqual([200, { outcome: "opened" }]);
    expect(await ticketOf(bad!.id)).toMatchObject({ status: "open", priority: "urgent", csat: { score: 1 } });
    const messages = await scene.ask<List<Message>>("GET", `/v1/tickets/${bad!.id}/messages`);
    expect(messages.data.map(({ text }) => text)).toEqual(["Where is it?", "Rated 1 of 5: Never came."]);

    expect(await send({ id: "s3", ticket: between!.id, score: 3 })).toEqual([200, { outcome: "rated" }]);
    expect(await ticketOf(between!.id)).toMatchObject({
      status: "solved",
      csat: { score: 3, comment: null },
    });
  });

  it("is refused when it is not signed, no answer at all, or about a ticket that is not there", async () => {
    const send = await startReceiver();
    const answer = { id: "s9", ticket: "tkt_99999", score: 5 };
    expect((await send(answer, "another secret"))[0]).toBe(401);
    expect((await send({ ...answer, score: 6 }))[0]).toBe(400);
    expect((await send(answer))[0]).toBe(422);
  });
});

describe("a dashboard", () => {
  it("shows volume and resolution by the days of a time zone, as a table and as bars", async () => {
    const before = await scene.ask<List<{ volume: number }>>("GET", "/v1/metrics?metrics=volume");
    const opened = (before.data[0]?.volume ?? 0) + 2;
    const { id } = await newTicket("answered");
    await newTicket("not answered");
    await scene.ask("POST", `/v1/tickets/${id}/messages`, { text: "On its way." });
    await scene.ask("POST", `/v1/tickets/${id}/csat`, { score: 4, close: true });

    const { key } = await scene.newKey("dashboard", ["metrics:read"]);
    const variables = { DESK_URL: scene.process.url, DESK_KEY: key };
    // Between these two it is never the same day.
    for (const zone of ["Pacific/Kiritimati", "Pacific/Pago_Pago"]) {
      const printed = await runExample("dashboard/dashboard.ts", [zone, "3"], variables);
      const today = new Intl.DateTimeFormat("sv-SE", { timeZone: zone, dateStyle: "short" }).format(
        new Date(),
      );
      const lines = printed.split("\n");
      expect(lines[0]).toBe(`Days of ${zone}`);
      const rows = lines
        .filter((line) => /^\d{4}-\d\d-\d\d( +\d+){3}/.test(line))
        .map((line) => line.split(/ {2,}/));
      expect(rows).toHaveLength(3);
      expect(rows.at(-1)?.slice(0, 2)).toEqual([today, String(opened)]);
      expect(rows.slice(0, 2).map((row) => row[1])).toEqual(["0", "0"]);
      expect(Number(rows.at(-1)?.[2])).toBeGreaterThan(0);
      expect(printed).toContain(`█ ${opened} opened`);
    }
  });
});
