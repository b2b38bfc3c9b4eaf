import { AppError } from "deskbridge/sdk";
import type { NewTicket } from "deskbridge/sdk";
import type { GorgiasApi } from "./api.ts";
import type { Customers } from "./customer.ts";
import { ticket } from "./object.ts";
import type { Ticket } from "./object.ts";
import { isTrashed } from "./ticket.ts";

/** Pages of a customer's tickets that are looked through, newest first. */
const mostPages = 10;

/**
 * The tickets whose external id is the key, oldest first. Gorgias is asked for them; where its list turns out not to be filtered, the requester's
 * tickets are looked through instead. Throws `target_protocol` when there is no requester to go by.
 */
export async function findTickets(
  api: GorgiasApi,
  customers: Customers,
  key: string,
  requester: NewTicket["requester"] | undefined,
  signal: AbortSignal,
): Promise<readonly Ticket[]> {
  const found = await listed(api, { external_id: key }, (one) => one.external_id === key, signal);
  if (found !== undefined) return oldestFirst(found);
  if (requester === undefined) {
    throw new AppError(
      "target_protocol",
      "Gorgias does not filter its list of tickets by external id here, and the operation names no requester to search by",
    );
  }
  const own = await customerIds(customers, requester, signal);
  const rows = [];
  for (const id of own) {
    const theirs = await listed(api, { customer_id: id }, (one) => one.customer?.id === id, signal);
    if (theirs === undefined) {
      throw new AppError(
        "target_protocol",
        "Gorgias filters its list of tickets neither by external id nor by customer",
      );
    }
    rows.push(...theirs);
  }
  return oldestFirst(rows.filter((one) => one.external_id === key));
}

/** The rows of a filtered list; undefined when there are rows in it that should not be. */
async function listed(
  api: GorgiasApi,
  filter: Readonly<Record<string, string>>,
  belongs: (one: Ticket) => boolean,
  signal: AbortSignal,
): Promise<readonly Ticket[] | undefined> {
  const query = { ...filter, order_by: "created_datetime:desc" };
  const rows: Ticket[] = [];
  let pages = 0;
  for await (const page of api.pages({
    path: "/api/tickets",
    item: ticket,
    what: "tickets",
    query,
    signal,
  })) {
    if (!page.every(belongs)) return undefined;
    rows.push(...page);
    pages += 1;
    if (pages === mostPages) break;
  }
  return rows.filter((one) => !isTrashed(one));
}

async function customerIds(
  customers: Customers,
  requester: NewTicket["requester"],
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (requester.id !== undefined) return [requester.id];
  return (await customers.like(requester, signal)).map(({ id }) => id);
}

function oldestFirst(tickets: readonly Ticket[]): readonly Ticket[] {
  return tickets.toSorted((a, b) => Number(a.id) - Number(b.id));
}
