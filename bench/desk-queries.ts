/** A query of the Support API as it is measured: a fresh address each time, so that nothing is answered from a cache of the very same one. */
export interface DeskQuery {
  readonly name: string;
  readonly path: (draw: Draw) => string;
}

export interface Draw {
  /** A whole number from 0 up to, not including, `below`. */
  readonly number: (below: number) => number;
  readonly pick: (from: readonly string[]) => string;
  /** How many tickets there are. */
  readonly tickets: number;
  /** Seconds since the epoch. */
  readonly now: number;
}

const day = 86_400;
const timeZones = [
  "UTC",
  "Europe/Berlin",
  "America/New_York",
  "Asia/Kolkata",
  "Asia/Kathmandu",
  "America/Los_Angeles",
];
const channels = ["email", "chat", "api", "phone", "social"];

const timeOf = (seconds: number): string => new Date(seconds * 1000).toISOString();

function metrics(days: number, rest: string): DeskQuery["path"] {
  return ({ number, pick, now }) => {
    // From another hour each time, up to four days back.
    const until = now - 3600 * number(96);
    const zone = encodeURIComponent(pick(timeZones));
    return `/v1/metrics?from=${timeOf(until - days * day)}&until=${timeOf(until)}&time_zone=${zone}${rest}`;
  };
}

const groupings = ["channel", "tag", "assignee", "order_source", "reason"];

/** The lists of tickets and messages by each of their filters, and the metrics over 30 days, 90 days and a year. */
export const deskQueries: readonly DeskQuery[] = [
  { name: "tickets, newest first", path: () => "/v1/tickets" },
  { name: "tickets by last change", path: () => "/v1/tickets?sort=-updated_at" },
  {
    name: "tickets of a status",
    path: ({ pick }) => `/v1/tickets?status=${pick(["open", "solved", "closed"])}`,
  },
  { name: "tickets of several statuses", path: () => "/v1/tickets?status=new,open,pending" },
  { name: "tickets of a rare status", path: () => "/v1/tickets?status=on_hold" },
  { name: "tickets with a tag", path: ({ number }) => `/v1/tickets?tag=topic-${number(20)}` },
  {
    name: "tickets of a requester",
    path: ({ number, tickets }) => `/v1/tickets?requester_id=con_${1 + number(tickets / 5)}`,
  },
  { name: "tickets of an assignee", path: ({ number }) => `/v1/tickets?assignee=agent-${number(50)}` },
  { name: "tickets of a channel", path: ({ pick }) => `/v1/tickets?channel=${pick(channels)}` },
  {
    name: "tickets of an order",
    path: ({ number, tickets }) => `/v1/tickets?order_id=ord_${1 + number(tickets / 2)}`,
  },
  {
    name: "tickets of an order's ref",
    path: ({ number, tickets }) => {
      const order = 4 * (1 + number(tickets / 8 - 1));
      return `/v1/tickets?order_source=shop&order_external_id=${order}`;
    },
  },
  {
    name: "tickets changed since",
    path: ({ number, now }) => `/v1/tickets?updated_after=${timeOf(now - number(300 * day))}`,
  },
  {
    name: "open tickets of an assignee with a tag",
    path: ({ number }) => `/v1/tickets?status=open&assignee=agent-${number(50)}&tag=topic-${number(20)}`,
  },
  { name: "tickets by words", path: ({ number }) => `/v1/tickets?q=number${number(50_000)}` },
  { name: "tickets by words that are everywhere", path: () => "/v1/tickets?q=parcel%20order" },
  {
    name: "messages of a ticket",
    path: ({ number, tickets }) => `/v1/tickets/tkt_${1 + number(tickets)}/messages`,
  },
  {
    name: "metrics of a ticket",
    path: ({ number, tickets }) => `/v1/tickets/tkt_${1 + number(tickets)}/metrics`,
  },
  { name: "all metrics, 2 days by hour", path: metrics(2, "&interval=hour") },
  { name: "all metrics, 30 days by day", path: metrics(30, "&interval=day") },
  ...groupings.map((grouping) => ({
    name: `all metrics, 30 days by day and ${grouping}`,
    path: metrics(30, `&interval=day&group_by=${grouping}`),
  })),
  ...groupings.map((grouping) => ({
    name: `all metrics, 90 days by ${grouping}`,
    path: metrics(90, `&group_by=${grouping}`),
  })),
  { name: "all metrics, 90 days by week and channel", path: metrics(90, "&interval=week&group_by=channel") },
  { name: "all metrics, a year by week", path: metrics(365, "&interval=week") },
  { name: "all metrics, a year by day", path: metrics(365, "&interval=day") },
  { name: "all metrics, a year by channel", path: metrics(365, "&group_by=channel") },
];
