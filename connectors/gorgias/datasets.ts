import { AppError, rowChanges } from "deskbridge/sdk";
import type { DatasetName, DatasetPage, DatasetRequest, DatasetSource } from "deskbridge/sdk";
import type { GorgiasApi } from "./api.ts";
import type { Config } from "./config.ts";
import {
  contactRow,
  listedCustomer,
  listedMessage,
  listedTicket,
  messageRow,
  ticketRow,
} from "./dataset-row.ts";
import { walkDown } from "./dataset-walk.ts";

interface Parts {
  readonly api: GorgiasApi;
  readonly settings: Config;
  readonly now: () => number;
}

type Read = (parts: Parts, request: DatasetRequest) => AsyncIterable<DatasetPage>;

/** The lists of the account, a hundred rows a call. Customers and messages that were deleted, and tickets that were merged, are not told of. */
export function createDatasetSource(parts: Parts): DatasetSource {
  const readers = {
    tickets: readTickets,
    messages: readMessages,
    contacts: readContacts,
  } as const satisfies Partial<Record<DatasetName, Read>>;
  const datasets = Object.keys(readers) as (keyof typeof readers)[];
  return {
    datasets,
    read: (request) => {
      const name = datasets.find((one) => one === request.dataset);
      if (name === undefined) throw new AppError("internal", `there is no dataset ${request.dataset} here`);
      return readers[name](parts, request);
    },
  };
}

async function* readTickets(parts: Parts, request: DatasetRequest): AsyncGenerator<DatasetPage> {
  const list = {
    path: "/api/tickets",
    item: listedTicket,
    what: "tickets",
    query: { order_by: "updated_datetime:desc", trashed: "true" },
    timeOf: ({ updated_datetime: time }: { readonly updated_datetime?: string | null | undefined }) => time,
  };
  for await (const { rows: tickets, ...rest } of walkDown(parts, list, request)) {
    const rows = tickets.map((ticket) => ticketRow(ticket, parts.settings)).filter((row) => row !== null);
    const there = new Set(rows.map(({ id }) => id));
    const gone = tickets.map(({ id }) => ({ id })).filter(({ id }) => !there.has(id));
    yield { ...rest, changes: rowChanges(request, { rows, gone }) };
  }
}

async function* readMessages(parts: Parts, request: DatasetRequest): AsyncGenerator<DatasetPage> {
  const list = {
    path: "/api/messages",
    item: listedMessage,
    what: "messages",
    query: { order_by: "created_datetime:desc" },
    timeOf: ({ created_datetime: time }: { readonly created_datetime?: string | null | undefined }) => time,
  };
  for await (const { rows, ...rest } of walkDown(parts, list, request)) {
    yield { ...rest, changes: rowChanges(request, { rows: rows.map(messageRow) }) };
  }
}

async function* readContacts(parts: Parts, request: DatasetRequest): AsyncGenerator<DatasetPage> {
  const list = {
    path: "/api/customers",
    item: listedCustomer,
    what: "customers",
    query: { order_by: "updated_datetime:desc" },
    timeOf: (one: {
      readonly updated_datetime?: string | null | undefined;
      readonly created_datetime?: string | null | undefined;
    }) => one.updated_datetime ?? one.created_datetime,
  };
  for await (const { rows, ...rest } of walkDown(parts, list, request)) {
    yield { ...rest, changes: rowChanges(request, { rows: rows.map(contactRow) }) };
  }
}
