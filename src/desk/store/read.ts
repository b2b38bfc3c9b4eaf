import type { Pool } from "pg";
import { guarded } from "./fault.ts";

/** One object as JSON, with its version. */
export interface Found {
  readonly id: number;
  readonly body: string;
  readonly version: number;
  /** The id of what it was merged into in the end. */
  readonly mergedInto?: number | null;
  readonly erased?: boolean;
}

const texts = {
  ticketById: `select ticket_json(t) as body, t.id, t.version, case when t.merged_into is not null then surviving_ticket(t.id) end as "mergedInto"
    from ticket t where t.id = $1`,
  ticketByRef: `select ticket_json(t) as body, t.id, t.version from ticket_ref r join ticket t on t.id = r.ticket
    where r.source = $1 and r.external_id = $2`,
  ticketMetric: "select ticket_metric_json(t) as body, t.id, t.version from ticket t where t.id = $1",
  businessHours: "select business_hours_json() as body, 1 as id, 1 as version",
  contactById: `select contact_json(c) as body, c.id, c.version, c.erased_at is not null as erased,
    case when c.merged_into is not null then survivor_of(c.id) end as "mergedInto" from contact c where c.id = $1`,
  contactExport: `select contact_export(c.id) as body, c.id, c.version, c.erased_at is not null as erased,
    case when c.merged_into is not null then survivor_of(c.id) end as "mergedInto" from contact c where c.id = $1`,
  contactByIdentity: `select contact_json(c) as body, c.id, c.version from contact_identity i join contact c on c.id = i.contact
    where i.kind = $1 and i.source = $2 and i.value = $3`,
  orderById: "select order_json(o) as body, o.id, o.version from sales_order o where o.id = $1",
  orderByRef: `select order_json(o) as body, o.id, o.version from sales_order o where o.source = $1 and o.external_id = $2`,
  ownContact: `select own_contact_json(c) as body, c.id, c.version from contact c
    where c.id = $1 and c.merged_into is null and c.erased_at is null`,
  ownTicket: `select own_ticket_json(s) as body, s.id, s.version, case when s.id <> t.id then s.id end as "mergedInto"
    from ticket t join ticket s on s.id = surviving_ticket(t.id)
    where t.id = $1 and t.requester = $2 and s.requester = $2 and shows_to_requester(s)`,
  attachmentById: "select attachment_json(a) as body, a.id, 1 as version from attachment a where a.id = $1",
  ownAttachment: "select attachment_json(a) as body, a.id, 1 as version from own_attachment($1, $2) as a",
  webhookById: "select webhook_json(w)::text as body, w.id, w.version from webhook w where w.id = $1",
  webhookDelivery: `select webhook_delivery_json(d) as body, d.id, null as version from webhook_delivery d
    where d.id = $1 and d.webhook = $2`,
} as const;

export type Lookup = keyof typeof texts;

/** The object that the values name; undefined when there is none. */
export async function find(
  pool: Pool,
  lookup: Lookup,
  values: readonly (string | number)[],
): Promise<Found | undefined> {
  const query = { name: `desk-${lookup}`, text: texts[lookup], values: [...values] };
  const { rows } = await guarded(() => pool.query<Found>(query));
  return rows[0];
}
