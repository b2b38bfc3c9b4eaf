import { afterAll, beforeAll, expect, it } from "vitest";
import type { DeskStand } from "../support/desk.ts";
import { openDeskStand } from "../support/desk.ts";

let stand: DeskStand;

beforeAll(async () => {
  stand = await openDeskStand();
});
afterAll(() => stand.close());

interface MetricsAnswer {
  readonly data: readonly Record<string, unknown>[];
  readonly definitions: Readonly<Record<string, string>>;
}

async function openTicket(more: object = {}): Promise<string> {
  const { status, json, text } = await stand.send({
    method: "POST",
    path: "/v1/tickets",
    body: {
      subject: "Where is it?",
      requester: { email: "ann@example.com" },
      message: { text: "Hello?" },
      ...more,
    },
  });
  expect({ status, text }).toMatchObject({ status: 201 });
  return (json as { id: string }).id;
}

const send = (method: "POST" | "PATCH" | "PUT" | "GET", path: string, body?: object) =>
  stand.send({ method, path, ...(body === undefined ? {} : { body }) });

async function metrics(query = ""): Promise<MetricsAnswer> {
  const { status, json, text } = await send("GET", `/v1/metrics${query}`);
  expect({ status, text }).toMatchObject({ status: 200 });
  return json as MetricsAnswer;
}

it("shows every write at once, before and after it is folded", async () => {
  const id = await openTicket({ channel: "chat", tags: ["late"] });
  await send("POST", `/v1/tickets/${id}/messages`, { text: "On its way." });
  await send("POST", `/v1/tickets/${id}/messages`, { text: "Look into this", visibility: "internal" });
  await send("PATCH", `/v1/tickets/${id}`, { status: "solved" });
  await send("POST", `/v1/tickets/${id}/csat`, { score: 5, comment: "quick" });
  const before = await metrics("?group_by=channel");
  await stand.desk.maintain();
  expect(await metrics("?group_by=channel")).toEqual(before);
  expect(before.data.find(({ group }) => group === "chat")).toMatchObject({
    volume: 1,
    solved: 1,
    backlog: 0,
    first_reply_time: { count: 1 },
    full_resolution_time: { count: 1 },
    reopen_rate: 0,
    one_touch_rate: 1,
    csat: { responses: 1, average: 5, good_share: 1 },
  });
});

it("answers the metrics of a ticket", async () => {
  const id = await openTicket();
  const fresh = await send("GET", `/v1/tickets/${id}/metrics`);
  expect(fresh.json).toMatchObject({
    ticket_id: id,
    replies: 0,
    reopens: 0,
    one_touch: false,
    resolved_at: null,
  });
  await send("POST", `/v1/tickets/${id}/messages`, { text: "One" });
  await send("PATCH", `/v1/tickets/${id}`, { status: "solved" });
  await send("PATCH", `/v1/tickets/${id}`, { status: "open" });
  const reopened = await send("GET", `/v1/tickets/${id}/metrics`);
  expect(reopened.json).toMatchObject({
    replies: 1,
    reopens: 1,
    resolved_at: null,
    calendar_seconds: { first_reply: 0, first_resolution: 0, full_resolution: null },
  });
});

it("rates a ticket once, closes it where asked, and takes a later rating in its place", async () => {
  const id = await openTicket();
  const rated = await send("POST", `/v1/tickets/${id}/csat`, { score: 2, close: true });
  expect(rated.json).toMatchObject({ status: "closed", csat: { score: 2, comment: null } });
  expect(rated.headers["deskbridge-result"]).toBe("updated");
  const again = await send("POST", `/v1/tickets/${id}/csat`, { score: 2 });
  expect(again.headers["deskbridge-result"]).toBe("unchanged");
  const better = await send("POST", `/v1/tickets/${id}/csat`, { score: 4, comment: "solved after all" });
  expect(better.json).toMatchObject({ csat: { score: 4, comment: "solved after all" } });
  expect((await send("POST", `/v1/tickets/${id}/csat`, { score: 6 })).status).toBe(400);
});

it("keeps business hours, and refuses those that make no sense", async () => {
  const around = await send("GET", "/v1/business-hours");
  expect(around.json).toEqual({ time_zone: "UTC", hours: null, holidays: [], updated_at: null });
  const hours = {
    monday: [
      ["09:00", "12:00"],
      ["13:00", "17:00"],
    ],
  };
  const put = await send("PUT", "/v1/business-hours", {
    time_zone: "Europe/Berlin",
    hours,
    holidays: ["2026-12-25"],
  });
  expect(put.json).toMatchObject({ time_zone: "Europe/Berlin", hours, holidays: ["2026-12-25"] });
  for (const wrong of [
    { time_zone: "Mars/Base" },
    { hours: {} },
    { hours: { monday: [["12:00", "09:00"]] } },
    { holidays: ["2026-02-30"] },
  ]) {
    const refused = await send("PUT", "/v1/business-hours", { time_zone: "UTC", hours, ...wrong });
    expect(refused.status).toBe(400);
  }
  await send("PUT", "/v1/business-hours", { time_zone: "UTC", hours: null });
});

it("refuses ranges that are empty, cut too fine or outside of its years", async () => {
  for (const query of [
    "?from=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z",
    "?from=2001-01-01T00:00:00Z&until=2026-01-01T00:00:00Z&interval=hour",
    "?from=0001-01-01T00:00:00Z",
    "?time_zone=Nowhere",
    "?metrics=volume,happiness",
    "?group_by=weather",
  ]) {
    expect((await send("GET", `/v1/metrics${query}`)).status).toBe(400);
  }
});

it("gives the definitions of the metrics that were asked for", async () => {
  const { data, definitions } = await metrics("?metrics=volume,backlog");
  expect(Object.keys(data[0] ?? {})).toEqual(["start", "end", "volume", "backlog"]);
  expect(definitions).toHaveProperty("volume");
  expect(definitions).not.toHaveProperty("csat");
});
