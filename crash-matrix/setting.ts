/** How a target makes a write happen once: by the keys it is sent, or by being asked what it holds. */
export const targetKinds = ["keyed", "lookup"] as const;
export type TargetKind = (typeof targetKinds)[number];

/** What BullMQ runs on. */
export const queueKinds = ["redis", "postgres"] as const;
export type QueueKind = (typeof queueKinds)[number];

/** What an export of the matrix writes to. */
export const sinkKinds = ["postgres", "parquet"] as const;
export type SinkKind = (typeof sinkKinds)[number];

/** Where the tables of a warehouse in PostgreSQL are: in the run's own database, beside deskbridge's. */
export const lakeSchema = "lake";

export const shopSecret = "the-shop-of-the-matrix-signs-with-this";

/**
 * A call to the lookup target may go on for this long (the stub shares its machine with all runs), and what it did can be found this much later.
 * Where the way there holds calls back, it is the time on the way that counts.
 */
const callSeconds = { direct: 5, heldBack: 40 };
export const lagSeconds = 0.4;

/** The way to the target: it lets everything through at once, or holds calls back for half a minute and then delivers them. */
export type Way = keyof typeof callSeconds;
export const ways = Object.keys(callSeconds) as readonly Way[];

/**
 * The configuration of a run: every event of an order is a message on the order's ticket and a note after it, so what is lost, doubled or out
 * of order can be read off the ticket.
 */
export function configText(target: TargetKind, way: Way): string {
  return textOf(
    target === "keyed"
      ? '{ use: deskbridge, url: "${DESK_URL}", apiKey: a-key }'
      : `{ use: lookup-desk, url: "\${DESK_URL}", lagSeconds: ${lagSeconds}, callSeconds: ${callSeconds[way]} }`,
  );
}

/** The same with the desk in the process itself, which is exported every second. */
export function exportConfigText(sink: SinkKind, datasets: readonly string[]): string {
  const lake =
    sink === "postgres"
      ? `{ use: postgres, url: "\${LAKE_URL}", schema: ${lakeSchema} }`
      : '{ use: parquet, path: "${LAKE_PATH}" }';
  return `${textOf("{ use: deskbridge }", `\n  lake: ${lake}`)}
exports:
  all:
    from: desk
    to: lake
    datasets: [${datasets.join(", ")}]
    schedule: { cron: "* * * * * *" }
    chunk: 100
`;
}

function textOf(desk: string, moreConnections = ""): string {
  return `connections:
  shop:
    use: shop
    url: "\${SHOP_URL}"
    secret: "\${SHOP_SECRET}"
    poll: { every: 1s, skipHistory: false }
  desk: ${desk}${moreConnections}

flows:
  errors:
    on: { connection: shop, events: [fulfillment.failed] }
    at: desk
    do:
      - ticket.open:
          key: "{{ event.data.order.id }}"
          requester: { email: matrix@example.com }
          subject: "Order {{ event.data.order.id }}"
          message: '{{ orDefault(event.data.fulfillment.message, "none") }}'
      - ticket.note:
          key: "{{ event.data.order.id }}"
          message: 'note {{ orDefault(event.data.fulfillment.message, "none") }}'
`;
}
