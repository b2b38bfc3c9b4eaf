/** A ticket as the Support API shows it, with its messages; what the demo looks at of it. */
export interface DeskTicket {
  readonly id: string;
  readonly number: number;
  readonly subject: string;
  readonly status: string;
  readonly tags: readonly string[];
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

/** Reads the Support API over HTTP, and writes what an agent would. */
export interface SupportApi {
  /** The tickets with a number above this one, oldest first. */
  readonly ticketsAfter: (number: number) => Promise<readonly DeskTicket[]>;
  /** The number of the newest ticket; 0 when there is none. */
  readonly lastTicketNumber: () => Promise<number>;
  readonly order: (source: string, id: string) => Promise<DeskOrder | undefined>;
  /** Answers the customer. */
  readonly reply: (ticket: string, agent: string, text: string) => Promise<void>;
  readonly solve: (ticket: string) => Promise<void>;
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

  const send = async (method: "POST" | "PATCH", path: string, body: object): Promise<void> => {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    await response.arrayBuffer();
    if (!response.ok) throw new Error(`the Support API answers ${response.status} for ${method} ${path}`);
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
    reply: (ticket, agent, text) =>
      send("POST", `/v1/tickets/${ticket}/messages`, {
        text,
        author: { type: "agent", id: agent.toLowerCase(), name: agent },
      }),
    solve: (ticket) => send("PATCH", `/v1/tickets/${ticket}`, { status: "solved" }),
    order: (source, id) => get(`/v1/orders/by-ref/${encodeURIComponent(source)}/${encodeURIComponent(id)}`),
  };
}
