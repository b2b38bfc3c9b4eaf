import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Config } from "../../src/config/config.ts";
import { loadConfig } from "../../src/config/load.ts";
import { formatProblem } from "../../src/flows/located.ts";
import { tryFlow } from "../../src/flows/try.ts";
import type { Event } from "../../src/model/event.ts";
import { eventData } from "../../src/model/event.ts";
import { openRegistry } from "../../src/registry/registry.ts";
import type { ConnectorContext } from "../../src/sdk/connector.ts";

const root = join(import.meta.dirname, "../..");
const registry = openRegistry({ connectorsDir: join(root, "connectors") });

async function loadExample(name: string): Promise<Config> {
  const path = join(root, "config/examples", name);
  const result = await loadConfig({ path, registry, env: {}, placeholder: "placeholder" });
  if (result.ok) return result.config;
  throw new Error(result.problems.map(formatProblem).join("\n"));
}

/** Every fact there is, to take those from that an event's type has. */
const facts = {
  order: {
    id: "1001",
    name: "#1001",
    email: "ada@example.com",
    total: { minor: 61_000, currency: "USD" },
    tags: ["gift"],
    cancelReason: "customer",
    items: [{ title: "Cap", quantity: 1 }],
    updatedAt: "2026-11-22T09:00:00Z",
  },
  customer: { id: "7", email: "ada@example.com", name: "Ada", ordersCount: 3, tags: ["vip"] },
  fulfillment: { id: "5", status: "failure" },
  hold: { reason: "high_risk_of_fraud" },
  payment: { id: "9", status: "failed", amount: { minor: 5990, currency: "EUR" } },
  ticket: { id: "4", key: "order:1001", status: "open" },
  message: { id: "8", direction: "inbound", visibility: "public", text: "Where is it?" },
  contact: { id: "con_1", email: "ada@example.com", name: "Ada" },
  actor: { id: "key_7", own: false },
  record: { table: "metrics_daily", key: "2026-11-21", values: { volume: 12, solved: 9, backlog: 4 } },
  survey: { id: "3", score: 5, scale: 5, ticketKey: "order:1001" },
};

describe("every flow of every example", () => {
  test.each(readdirSync(join(root, "config/examples")))(
    "%s maps or skips an event of each of its types",
    async (name) => {
      const { flows, exports } = await loadExample(name);
      const outcomes = flows.flatMap((flow) =>
        flow.events.map((type) => {
          const keys = Object.keys(eventData[type].shape) as (keyof typeof facts)[];
          const data = eventData[type].parse(Object.fromEntries(keys.map((key) => [key, facts[key]])));
          const event = {
            id: "1",
            source: flow.connections[0],
            type,
            subject: "order/1001",
            time: "2026-11-22T10:00:00Z",
            data,
            raw: { shipment: {} },
          };
          const trial = tryFlow(flow, event as Event);
          return trial.outcome === "failed" ? trial.error.message : trial.outcome;
        }),
      );
      // One that only exports has no event to map.
      expect(flows.length === 0 ? exports.map(() => "mapped") : outcomes).toContain("mapped");
      expect(outcomes.filter((outcome) => outcome !== "mapped" && outcome !== "skipped")).toEqual([]);
    },
  );
});

describe("an example with a sender of its own", () => {
  const receive = async (
    name: string,
    connection: string,
    body: unknown,
    headers: Record<string, string> = {},
  ) => {
    const config = await loadExample(name);
    const { settings, use } = config.connections.get(connection)!;
    const opened = await (await registry.get(use)).open(withPlaceholders(settings), {} as ConnectorContext);
    const request = {
      method: "POST",
      path: "",
      query: {},
      headers,
      body: Buffer.from(JSON.stringify(body)),
      receivedAt: Date.parse("2026-11-22T10:00:00Z"),
    };
    const events = opened.webhook!.parse(request).map((input): Event => ({ ...input, source: connection }));
    return events.map((event) => config.flows.map((flow) => tryFlow(flow, event)));
  };
  // The secret has to have its scheme's form before the connection opens.
  const withPlaceholders = (settings: unknown): unknown =>
    JSON.parse(
      JSON.stringify(settings).replaceAll('"placeholder"', '"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"'),
    );

  test("any-sender-with-hmac.yaml opens a ticket for a lost parcel", async () => {
    const body = {
      type: "shipment.exception",
      shipment: {
        id: 17,
        state: "LOST",
        carrier: { code: "dx" },
        order: { number: "1001", email: "ada@example.com", total: "159.90" },
      },
    };
    const [trials] = await receive("any-sender-with-hmac.yaml", "warehouse", body, {
      "x-warehouse-delivery": "d-1",
    });
    expect(trials).toMatchObject([
      {
        outcome: "mapped",
        lane: "order/1001",
        operations: [
          {
            name: "ticket.open",
            input: {
              key: "warehouse:17",
              subject: "Parcel lost: order #1001",
              message: "The warehouse gave no reason.",
              priority: "urgent",
              customFields: { carrier_code: "dx" },
            },
          },
        ],
      },
    ]);
  });

  test("survey-closes-ticket.yaml closes the ticket of a good answer and escalates a bad one", async () => {
    const answer = (score: number, ticket?: string) => ({
      event: "response.completed",
      response: {
        id: "r1",
        score,
        completed_at: "2026-11-22T10:00:00Z",
        hidden: ticket === undefined ? {} : { ticket },
      },
    });
    const outcomesOf = async (body: unknown) => {
      const [trials] = await receive("survey-closes-ticket.yaml", "surveys", body);
      return trials?.map((trial) =>
        trial.outcome === "mapped" ? trial.operations.map(({ name }) => name) : trial.outcome,
      );
    };
    expect(await outcomesOf(answer(5, "order:1"))).toEqual([["ticket.tag", "ticket.close"], "skipped"]);
    expect(await outcomesOf(answer(2, "order:1"))).toEqual(["skipped", ["ticket.note", "ticket.update"]]);
    expect(await outcomesOf(answer(2))).toEqual(["skipped", "skipped"]);
  });

  test("batch-of-failed-payments.yaml opens a ticket for each payment that is worth it", async () => {
    const failure = (id: string, amount: string) => ({
      id,
      order: "1001",
      amount,
      currency: "eur",
      failed_at: "2026-11-22T10:00:00Z",
      customer: { id: "7", email: "ada@example.com" },
    });
    const trials = await receive("batch-of-failed-payments.yaml", "payments", {
      failures: [failure("p1", "59.90"), failure("p2", "1.00")],
    });
    expect(trials.flat().map((trial) => trial.outcome)).toEqual(["mapped", "skipped"]);
  });

  test("morning-summary.yaml makes a ticket and a request of yesterday's figures, and of no other day's", async () => {
    const row = (day: string, group_by = "all") => ({
      day,
      group_by,
      group_key: "",
      volume: 12,
      solved: 9,
      backlog: 4,
      first_reply_business_p50: null,
    });
    const rows = [row("2026-11-20"), row("2026-11-21"), row("2026-11-21", "tag"), row("2026-11-22")];
    const message = { type: "rows", kind: "upsert", table: "metrics_daily", rows };
    const headers = { "webhook-timestamp": String(Date.parse("2026-11-22T06:30:00Z") / 1000) };
    const trials = await receive("morning-summary.yaml", "figures", message, headers);
    expect(trials).toMatchObject([
      [
        {
          outcome: "mapped",
          operations: [
            {
              name: "ticket.open",
              input: {
                key: "figures:2026-11-21",
                message: "12 new, 9 solved, 4 open at the end of the day.",
              },
            },
          ],
        },
        {
          outcome: "mapped",
          operations: [
            {
              name: "http.request",
              input: {
                method: "POST",
                path: "/notes",
                body: { title: "Support, 2026-11-21", figures: { volume: 12 } },
              },
            },
          ],
        },
      ],
    ]);
    const commit = { type: "commit", table: "metrics_daily", batches: 1, rows: 4 };
    expect(await receive("morning-summary.yaml", "figures", commit, headers)).toEqual([]);
  });
});
