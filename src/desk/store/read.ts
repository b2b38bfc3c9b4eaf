import type { Pool } from "pg";
import { guarded } from "./fault.ts";

/** One object as JSON, with its version. */
export interface Found {
  readonly id: number;
  readonly body: string;
  readonly version: number;
}

const texts = {
  ticketById: "select ticket_json(t) as body, t.id, t.version from ticket t where t.id = $1",
  ticketByRef: `select ticket_json(t) as body, t.id, t.version from ticket_ref r join ticket t on t.id = r.ticket
    where r.source = $1 and r.external_id = $2`,
  contactById: "select contact_json(c) as body, c.id, c.version from contact c where c.id = $1",
  contactByIdentity: `select contact_json(c) as body, c.id, c.version from contact_identity i join contact c on c.id = i.contact
    where i.kind = $1 and i.source = $2 and i.value = $3`,
  orderById: "select order_json(o) as body, o.id, o.version from sales_order o where o.id = $1",
  orderByRef: `select order_json(o) as body, o.id, o.version from sales_order o where o.source = $1 and o.external_id = $2`,
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
