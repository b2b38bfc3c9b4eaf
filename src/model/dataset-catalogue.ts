import type { Column, ColumnType, Dataset, DatasetName, PersonalClass } from "./dataset.ts";

interface ColumnFacts {
  /** False unless told. */
  readonly nullable?: boolean;
  readonly personal?: PersonalClass;
}

function column(name: string, type: ColumnType, description: string, facts: ColumnFacts = {}): Column {
  return { name, type, description, nullable: false, ...facts };
}

const nullable = { nullable: true } as const;

const ticketId = column("ticket_id", "string", "Id of the ticket.");
const createdAt = column("created_at", "timestamp", "When it came to be. Never changes.");
const updatedAt = column("updated_at", "timestamp", "When it last changed.");

const ticketColumns = [
  column("id", "string", "Id of the ticket on the desk."),
  column("number", "string", "Its number as agents see it.", nullable),
  column("subject", "string", "Its subject.", { nullable: true, personal: "content" }),
  column("status", "string", "`new`, `open`, `pending`, `on_hold`, `solved` or `closed`."),
  column("priority", "string", "`low`, `normal`, `high` or `urgent`.", nullable),
  column("channel", "string", "How it came in.", nullable),
  column("requester_id", "string", "Id of the contact who asks.", nullable),
  column("assignee", "string", "The agent who has it.", nullable),
  column("tags", "json", "Its tags, a list of texts."),
  column("custom_fields", "json", "Fields of the desk's own, by name.", { personal: "content" }),
  column("refs", "json", "What other systems call it: a list of `{source, external_id}`."),
  column("reason", "string", "The custom field `reason`, else the first tag.", nullable),
  column("csat_score", "integer", "The rating, 1 to 5.", nullable),
  column("csat_comment", "string", "What came with the rating.", { nullable: true, personal: "content" }),
  column("csat_at", "timestamp", "When it was rated.", nullable),
  column("follow_up_of", "string", "Id of the ticket that it follows up on.", nullable),
  column("merged_into", "string", "Id of the ticket that took its place.", nullable),
  createdAt,
  updatedAt,
  column("closed_at", "timestamp", "When it was solved or closed, for one that is.", nullable),
];

const messageColumns = [
  column("id", "string", "Id of the message."),
  ticketId,
  column("direction", "string", "`inbound` or `outbound`."),
  column("visibility", "string", "`public` or `internal`."),
  column("author_type", "string", "`contact`, `agent` or `system`."),
  column(
    "author_id",
    "string",
    "Id of the author: a contact's, which may have been merged into another since, or what an agent goes by.",
    nullable,
  ),
  column("author_name", "string", "The name that was given with it; a contact's own is in `contacts`.", {
    nullable: true,
    personal: "identity",
  }),
  column("text", "string", "What it says.", { personal: "content" }),
  column("has_attachments", "boolean", "Whether files came with it."),
  createdAt,
];

const contactColumns = [
  column("id", "string", "Id of the contact."),
  column("name", "string", "Name.", { nullable: true, personal: "identity" }),
  column("email", "string", "The e-mail address that is shown.", { nullable: true, personal: "contact" }),
  column("phone", "string", "The phone number that is shown, E.164.", {
    nullable: true,
    personal: "contact",
  }),
  column("custom_fields", "json", "Fields of the desk's own, by name.", { personal: "content" }),
  column("merged_into", "string", "Id of the contact that took its place.", nullable),
  createdAt,
  updatedAt,
];

const orderColumns = [
  column("id", "string", "Id of the order on the desk."),
  column("source", "string", "The system that it is from."),
  column("external_id", "string", "Its id there."),
  column("name", "string", "What people call it, such as `#1001`.", nullable),
  column("status", "string", "Its status in its own system.", nullable),
  column("total_minor", "integer", "Total in the currency's minor unit.", nullable),
  column("total_currency", "string", "ISO 4217 code.", nullable),
  column("url", "string", "Where it can be seen.", nullable),
  column("contact_id", "string", "Id of the contact whose it is.", nullable),
  column("placed_at", "timestamp", "When it was placed.", nullable),
  createdAt,
  updatedAt,
];

const ticketOrderColumns = [
  ticketId,
  column("order_id", "string", "Id of an order that is linked to it."),
  column("ticket_created_at", "timestamp", "When the ticket came to be. Never changes."),
];

const ticketEventColumns = [
  column("id", "string", "Id of the change, as in the change feed."),
  ticketId,
  column("type", "string", "What kind of change, such as `ticket.updated`."),
  column("actor", "string", "Who did it.", nullable),
  column("object_id", "string", "What it was done to: the ticket, or a message of it."),
  column("changes", "json", "`{field: [from, to]}`, or ids.", { personal: "content" }),
  column("at", "timestamp", "When."),
];

const seconds = (name: string, description: string): Column[] => [
  column(`${name}_seconds`, "integer", `${description}, in calendar seconds.`, nullable),
  column(`${name}_business_seconds`, "integer", `${description}, in seconds of business hours.`, nullable),
];

const ticketMetricColumns = [
  ticketId,
  column("ticket_created_at", "timestamp", "When the ticket came to be. Never changes."),
  column("first_reply_at", "timestamp", "When an agent first answered in public.", nullable),
  ...seconds("first_reply", "From creation to the first reply"),
  column("first_resolved_at", "timestamp", "When it was first solved.", nullable),
  ...seconds("first_resolution", "From creation to the first solving"),
  column("resolved_at", "timestamp", "When it was last solved, for one that is.", nullable),
  ...seconds("full_resolution", "From creation to the last solving"),
  column("replies", "integer", "Public replies by agents.", nullable),
  column("reopens", "integer", "How often it was reopened.", nullable),
  column("one_touch", "boolean", "Solved, never reopened, with at most one reply.", nullable),
  column("csat_score", "integer", "The rating, 1 to 5.", nullable),
];

const durations = (name: string, what: string): Column[] => [
  column(`${name}_count`, "integer", `How many tickets the figures of the ${what} are of.`),
  ...["calendar", "business"].flatMap((clock) =>
    ["average", "p50", "p90", "p95"].map((figure) =>
      column(`${name}_${clock}_${figure}`, "number", `${figure} of the ${what}, ${clock} seconds.`, nullable),
    ),
  ),
];

const metricsDailyColumns = [
  column("day", "date", "The day, in UTC."),
  column("group_by", "string", "`all`, `channel`, `tag`, `assignee`, `order_source` or `reason`."),
  column("group_key", "string", "Which group; empty for `all` and for the group of tickets that have none."),
  column("volume", "integer", "Tickets created on the day."),
  column("solved", "integer", "Tickets solved on the day and not reopened since."),
  column("backlog", "integer", "Tickets neither solved nor closed at the end of the day."),
  ...durations("first_reply", "time to the first reply"),
  ...durations("full_resolution", "time to the last solving"),
  column("reopen_rate", "number", "Share of the solved that had been reopened.", nullable),
  column(
    "one_touch_rate",
    "number",
    "Share of the solved with at most one reply and no reopening.",
    nullable,
  ),
  column("csat_responses", "integer", "Ratings given on the day."),
  column("csat_average", "number", "Their average, 1 to 5.", nullable),
  column("csat_good_share", "number", "Share of ratings of 4 and 5.", nullable),
];

const deliveryColumns = [
  column("id", "integer", "Number of the delivery in the ledger."),
  column("event_id", "string", "Id of the event, as its source gave it."),
  column("event_type", "string", "Its type."),
  column("source", "string", "The connection that it came from."),
  column("flow", "string", "The flow that it was for."),
  column("target", "string", "The connection that its operations go to."),
  column("status", "string", "`pending`, `done`, `skipped` or `dead`."),
  column("attempts", "integer", "Attempts made."),
  column("code", "string", "Code of the last error, where the last attempt failed.", nullable),
  column("received_at", "timestamp", "When the event came in. Never changes."),
  column("finished_at", "timestamp", "When it was over, for one that is.", nullable),
];

/** Every dataset, by its name. `docs/reference/datasets.md` is generated from here. Columns are only ever added. */
export const datasetCatalogue: { readonly [N in DatasetName]: Dataset & { readonly name: N } } = {
  tickets: {
    name: "tickets",
    description: "A row a ticket, as it is now. One that was merged into another stays, and says so.",
    columns: ticketColumns,
    key: ["id"],
    day: "created_at",
  },
  messages: {
    name: "messages",
    description: "A row a message, public ones and internal notes.",
    columns: messageColumns,
    key: ["id"],
    day: "created_at",
  },
  contacts: {
    name: "contacts",
    description: "A row a contact, as it is now. One that was erased is gone.",
    columns: contactColumns,
    key: ["id"],
    day: "created_at",
  },
  orders: {
    name: "orders",
    description: "A row an order that the desk knows, as it is now.",
    columns: orderColumns,
    key: ["id"],
    day: "created_at",
  },
  ticket_orders: {
    name: "ticket_orders",
    description: "A row an order that is linked to a ticket.",
    columns: ticketOrderColumns,
    key: ["ticket_id", "order_id"],
    day: "ticket_created_at",
  },
  ticket_events: {
    name: "ticket_events",
    description:
      "A row a change of a ticket: who did what, and when. What was erased of a ticket is erased in its changes too.",
    columns: ticketEventColumns,
    key: ["id"],
    day: "at",
  },
  ticket_metrics: {
    name: "ticket_metrics",
    description:
      "A row a ticket: first reply, resolution, replies, reopens and rating. One that was merged into another counts nowhere and has none.",
    columns: ticketMetricColumns,
    key: ["ticket_id"],
    day: "ticket_created_at",
  },
  metrics_daily: {
    name: "metrics_daily",
    description:
      "A row a day and group in which anything is other than zero: the support metrics. What happens late to an old ticket is in the backlog of all days since; those rows come again, and no others.",
    columns: metricsDailyColumns,
    key: ["day", "group_by", "group_key"],
    day: "day",
  },
  deliveries: {
    name: "deliveries",
    description: "A row a delivery of this deskbridge: what became of an event in a flow.",
    columns: deliveryColumns,
    key: ["id"],
    day: "received_at",
  },
};
