/** A ticket as the Support API shows it, with its messages; what the demo looks at of it. */
export interface DeskTicket {
  readonly id: string;
  readonly number: number;
  readonly subject: string;
  readonly status: string;
  readonly requester: { readonly name: string | null; readonly email: string | null };
  readonly refs: readonly { readonly source: string; readonly external_id: string }[];
  readonly orders: readonly { readonly external_id: string; readonly name: string | null }[];
  /** Oldest first. */
  readonly messages: readonly { readonly text: string }[];
}

export interface DeskOrder {
  readonly external_id: string;
  readonly name: string | null;
  readonly status: string | null;
}

/** Reads the Support API over HTTP. */
export interface SupportApi {
  /** The tickets with a number above this one, oldest first. */
  readonly ticketsAfter: (number: number) => Promise<readonly DeskTicket[]>;
  /** The number of the newest ticket; 0 when there is none. */
  readonly lastTicketNumber: () => Promise<number>;
  readonly order: (source: string, id: string) => Promise<DeskOrder | undefined>;
}

interface Page<T> {
  readonly data: readonly T[];
  readonly next_cursor: string | null;
}

type Row = Omit<DeskTicket, "messages">;

/** `url` is where deskbridge answers, without a path. */
export function createSupportApi(url: string, apiKey: string): SupportApi {
  const get = async <T>(path: string): Promise<T | undefined> => {
    const response = await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${apiKey}` } });
    if (response.status === 404) return undefined;
    if (!response.ok) throw new Error(`the Support API answers ${response.status} for ${path}`);
    return (await response.json()) as T;
  };

  const newestRows = async (after: number): Promise<readonly Row[]> => {
    const rows: Row[] = [];
    let cursor: string | null = null;
    do {
      const query: string = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
      const page: Page<Row> | undefined = await get(`/v1/tickets?sort=-created_at&limit=100${query}`);
      const found = page?.data.filter((row) => row.number > after) ?? [];
      rows.push(...found);
      cursor = found.length === page?.data.length ? page.next_cursor : null;
    } while (cursor !== null);
    return rows.sort((a, b) => a.number - b.number);
  };

  return {
    ticketsAfter: async (number) => {
      const tickets: DeskTicket[] = [];
      for (const row of await newestRows(number)) {
        const page = await get<Page<{ readonly text: string }>>(`/v1/tickets/${row.id}/messages?limit=100`);
        tickets.push({ ...row, messages: page?.data ?? [] });
      }
      return tickets;
    },
    lastTicketNumber: async () => {
      const page = await get<Page<Row>>("/v1/tickets?sort=-created_at&limit=1");
      return page?.data[0]?.number ?? 0;
    },
    order: (source, id) => get(`/v1/orders/by-ref/${encodeURIComponent(source)}/${encodeURIComponent(id)}`),
  };
}
