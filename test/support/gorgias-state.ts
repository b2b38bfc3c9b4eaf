/** A customer as the stub keeps it. Members are named as in Gorgias's answers. */
export interface StubCustomer {
  readonly id: number;
  email: string | null;
  name: string | null;
  external_id: string | null;
  channels: { type: string; address: string; preferred: boolean }[];
  readonly created_datetime: string;
  updated_datetime: string;
}

export interface StubMessage {
  readonly id: number;
  readonly external_id: string | null;
  readonly channel: string;
  readonly public: boolean;
  readonly from_agent: boolean;
  readonly body_text: string;
  readonly created_datetime: string;
  /** When lists show it, in milliseconds since the epoch. */
  readonly shownAt: number;
}

export interface StubTicket {
  readonly id: number;
  external_id: string | null;
  status: string;
  priority: string;
  subject: string | null;
  readonly customer: StubCustomer;
  tags: { name: string }[];
  custom_fields: Record<string, { id: number; value: unknown }>;
  meta: unknown;
  readonly created_datetime: string;
  updated_datetime: string;
  closed_datetime: string | null;
  trashed_datetime: string | null;
  messages: StubMessage[];
  readonly shownAt: number;
}

/** What a reply was mailed with: Gorgias sends messages of agents that carry no `sent_datetime`. */
export interface StubMail {
  readonly from: string;
  readonly to: string;
  readonly text: string;
}

/** All that the stub holds; a test may read and change it at any time. */
export interface GorgiasState {
  readonly tickets: Map<number, StubTicket>;
  readonly customers: Map<number, StubCustomer>;
  readonly mails: StubMail[];
  readonly integrations: unknown[];
  /** A new id; ids are never used again. */
  readonly newId: () => number;
  /** The time as Gorgias writes it: no offset, and never the same twice. */
  readonly timestamp: (at?: number) => string;
}

/** How the stub behaves; a test may change it at any time. */
export interface GorgiasBehaviour {
  /** Milliseconds since the epoch. */
  now: () => number;
  /** The account's limit; none unless told. */
  limit: { calls: number; perMs: number } | undefined;
  /** The most that a list gives at once. */
  pageSize: number;
  /** For how long lists do not show what was just made. */
  listLagMs: number;
  /** False: the list of tickets takes no notice of `external_id`. */
  filtersByExternalId: boolean;
  /** False: the list of customers takes no notice of `order_by`. */
  ordersCustomers: boolean;
  /** The value of `authorization` that is let in; any unless told. */
  credential: string | undefined;
}

export function createGorgiasState(behaviour: GorgiasBehaviour): GorgiasState {
  let ids = 100;
  let stamps = 0;
  return {
    tickets: new Map(),
    customers: new Map(),
    mails: [],
    integrations: [],
    newId: () => (ids += 1),
    timestamp: (at = behaviour.now()) => {
      stamps = (stamps + 1) % 1000;
      return `${new Date(at).toISOString().slice(0, -1)}${String(stamps).padStart(3, "0")}`;
    },
  };
}
