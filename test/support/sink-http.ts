import connector from "../../connectors/http/index.ts";
import { createStandardWebhooksVerifier } from "../../src/sdk/index.ts";
import type { DayRange, Row, SinkTable } from "../../src/sdk/index.ts";
import { createTestContext } from "../../src/sdk/testing/index.ts";
import type { SinkSuite } from "../../src/sdk/testing/index.ts";
import type { StubRequest, StubServer } from "./http-server.ts";
import { openStubServer } from "./http-server.ts";

export const httpSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

interface Message {
  readonly type: "rows" | "commit";
  readonly table: string;
  readonly run: number;
  readonly commit: number;
  readonly batch: number;
  readonly kind: "upsert" | "delete";
  readonly key: readonly string[];
  readonly day: string;
  readonly rows: readonly Row[] & number;
  readonly batches: number;
  readonly dropOlderThan?: number;
  readonly dropOlderThanIn?: DayRange;
}

interface Held {
  rows: Map<string, { readonly row: Row; readonly run: number }>;
  day: string;
  /** What has come since the last commit. */
  staged: Message[];
}

/** An endpoint that does as the connector's page tells: it verifies, keeps rows apart until their commit, and then shows all of them. */
export interface ExportReceiver extends StubServer {
  readonly requests: readonly StubRequest[];
  readonly rows: (table: SinkTable) => readonly Row[];
}

export async function openExportReceiver(): Promise<ExportReceiver> {
  const tables = new Map<string, Held>();
  const requests: StubRequest[] = [];
  const verify = createStandardWebhooksVerifier({ secrets: [httpSecret] });
  const server = await openStubServer((request) => {
    requests.push(request);
    const headers = request.headers as Record<string, string>;
    const body = Buffer.from(request.text);
    verify({ method: "POST", path: "", query: {}, headers, body, receivedAt: Date.now() });
    const message = JSON.parse(request.text) as Message;
    const held = tables.get(message.table) ?? { rows: new Map(), day: "", staged: [] };
    tables.set(message.table, held);
    return message.type === "rows" ? stage(held, message) : publish(held, message);
  });
  return {
    ...server,
    requests,
    rows: (table) => [...(tables.get(table.name)?.rows.values() ?? [])].map(({ row }) => row),
  };
}

function stage(held: Held, message: Message): object {
  if (message.batch === 1) held.staged = [];
  held.staged.push(message);
  return {};
}

function publish(held: Held, message: Message): object {
  const staged = held.staged.filter(({ run, commit }) => run === message.run && commit === message.commit);
  held.staged = [];
  if (staged.length !== message.batches) throw new Error("batches are missing");
  const before = new Map(held.rows);
  for (const { kind, key, day, rows, run } of staged) {
    held.day = day;
    for (const row of rows) {
      const id = JSON.stringify(key.map((name) => row[name]));
      if (kind === "upsert") held.rows.set(id, { row, run });
      else held.rows.delete(id);
    }
  }
  drop(held, message);
  const added = [...held.rows.keys()].filter((id) => !before.has(id)).length;
  const updated = [...held.rows].filter(([id, one]) => before.has(id) && before.get(id) !== one).length;
  return { inserted: added, updated, deleted: [...before.keys()].filter((id) => !held.rows.has(id)).length };
}

function drop(held: Held, { run, dropOlderThan = 0, dropOlderThanIn: days }: Message): void {
  for (const [id, one] of held.rows) {
    const day = String(one.row[held.day]).slice(0, 10);
    const isRepaired = days !== undefined && one.run < run && day >= days.from && day < days.until;
    if (one.run < dropOlderThan || isRepaired) held.rows.delete(id);
  }
}

/** The sink that sends rows to an endpoint, with an endpoint that keeps them. */
export const httpSuite: SinkSuite = {
  name: "http",
  open: async () => {
    const receiver = await openExportReceiver();
    const context = createTestContext();
    const settings = connector.config.parse({
      url: `${receiver.url}/rows`,
      secret: httpSecret,
      batchRows: 700,
    });
    const { sink } = await connector.open(settings, context);
    if (sink === undefined) throw new Error("the connector offers no sink");
    return {
      sink,
      rows: async (table) => receiver.rows(table),
      close: async () => {
        context.close();
        await receiver.close();
      },
    };
  },
  without: {
    position: "an endpoint is not asked what it has; the ledger knows",
    read: "an endpoint is not asked what it has",
    overtaking: "an endpoint is told the number of the run, and may refuse an old one",
    columns: "rows are sent with the columns that are exported",
    owners: "rows are sent with the names of export and table, and the endpoint tells them apart",
  },
};
