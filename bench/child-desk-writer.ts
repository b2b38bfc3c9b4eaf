import { serveCalls, sharedNow } from "./calls.ts";
import type { DeskWrite, WriteKind } from "./desk-write.ts";
import { deskWrites } from "./desk-write.ts";
import { writeRequest } from "./desk-write-http.ts";
import { openSqlClient } from "./desk-write-sql.ts";
import { openConnection } from "./http-connection.ts";

/** Where the writes go: to a Support API, or straight into the tables. */
export type WriteTarget = { readonly url: string; readonly key: string } | { readonly databaseUrl: string };

export interface WriteJob {
  readonly target: WriteTarget;
  readonly kind: WriteKind;
  readonly run: string;
  readonly from: number;
  readonly count: number;
  /** Each with a connection of its own, and one write under way at a time. */
  readonly clients: number;
}

export interface WriteFigures {
  readonly seconds: number;
  readonly latenciesMs: readonly number[];
}

interface Client {
  readonly write: (index: number) => Promise<void>;
  readonly close: () => Promise<void>;
}

async function openClients({
  target,
  kind,
  run,
  from,
  count,
  clients,
}: WriteJob): Promise<readonly Client[]> {
  const writes = deskWrites(run, kind, from, count);
  const wanted = Array.from({ length: clients });
  if ("databaseUrl" in target) {
    const opened = await Promise.all(wanted.map(() => openSqlClient(target.databaseUrl, kind)));
    return opened.map(({ write, close }) => ({ write: (index) => write(writes[index] as DeskWrite), close }));
  }
  const { host, port } = new URL(target.url);
  // Prepared beforehand, so that building bodies is not measured.
  const requests = writes.map((write) => writeRequest(write, kind, host, target.key));
  const connections = await Promise.all(wanted.map(() => openConnection(Number(port))));
  return connections.map(({ ask, close }) => ({
    write: async (index) => {
      const status = await ask(requests[index] as Buffer);
      if (status !== 200 && status !== 201) throw new Error(`a write was answered ${status}`);
    },
    close: async () => close(),
  }));
}

async function run(job: WriteJob): Promise<WriteFigures> {
  const clients = await openClients(job);
  const latenciesMs: number[] = [];
  let next = 0;
  const work = async ({ write }: Client): Promise<void> => {
    while (next < job.count) {
      const index = next;
      next += 1;
      const before = sharedNow();
      await write(index);
      latenciesMs.push(sharedNow() - before);
    }
  };
  try {
    const startedAt = sharedNow();
    await Promise.all(clients.map(work));
    return { seconds: (sharedNow() - startedAt) / 1000, latenciesMs };
  } finally {
    await Promise.all(clients.map(({ close }) => close()));
  }
}

const handlers = { run };
export type DeskWriterHandlers = typeof handlers;

serveCalls(handlers);
