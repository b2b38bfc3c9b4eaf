import { startChild } from "./calls.ts";
import type { DeskHandlers } from "./child-desk.ts";
import type { DeskReaderHandlers } from "./child-desk-reader.ts";
import { CountError } from "./count-check.ts";
import { openDatabaseStage } from "./database-stage.ts";

export interface DeskFeedOptions {
  readonly changes: number;
  readonly rounds: number;
  readonly note: (line: string) => void;
}

/** Changes a second to one reader, round by round. */
export interface DeskFeedFigures {
  /** `GET /v1/changes`, pages of 1000 one after the other. */
  readonly pages: readonly number[];
  /** The same with `types`, as a webhook's receiver or a flow would ask. */
  readonly filtered: readonly number[];
  /** `GET /v1/changes/stream`. */
  readonly stream: readonly number[];
}

// As an hour of a desk at work would leave them: three changes a transaction, of the usual types, most with what changed.
const fill = `insert into deskbridge_desk.change (tx, type, object, ticket, actor, data)
select 1 + n / 3,
  (array['ticket.created', 'message.created', 'ticket.updated', 'contact.updated'])[1 + n % 4],
  n / 4, case when n % 4 < 3 then n / 4 end, 'key_' || n % 5,
  case when n % 4 = 2 then '{"status": ["new", "open"], "assignee": [null, "Grace"]}'::jsonb else '{}' end
from generate_series(1, $1::int) as n`;

/** Fills a change feed and has one reader in a process of its own read all of it, several ways, in turn. */
export async function measureDeskFeed({ changes, rounds, note }: DeskFeedOptions): Promise<DeskFeedFigures> {
  const stage = await openDatabaseStage();
  const desk = startChild<DeskHandlers>("./child-desk.ts");
  const reader = startChild<DeskReaderHandlers>("./child-desk-reader.ts");
  try {
    const database = await stage.freshDatabase();
    await desk.call("open", database.url);
    await database.query(fill, [changes]);
    await database.query("vacuum analyze deskbridge_desk.change");
    // A desk that finds changes of later transactions than there have been takes them for restored ones, all of which may be read.
    const stand = await desk.call("open", database.url);
    const rate = async (name: "pages" | "filtered" | "stream"): Promise<number> => {
      const types = name === "filtered" ? "ticket.*,message.created,contact.*" : undefined;
      const call = { ...stand, changes, ...(types === undefined ? {} : { types }) };
      const { seconds, count } = await reader.call(name === "stream" ? "follow" : "page", call);
      if (count !== changes) throw new CountError(`${name}: ${count} changes of ${changes} were read`);
      return changes / seconds;
    };
    await rate("pages");
    const figures = { pages: [] as number[], filtered: [] as number[], stream: [] as number[] };
    for (let round = 0; round < rounds; round += 1) {
      for (const name of ["pages", "filtered", "stream"] as const) figures[name].push(await rate(name));
      const last = Object.entries(figures).map(
        ([name, rates]) => `${name} ${Math.round(rates.at(-1) ?? 0)}/s`,
      );
      note(`feed, round ${round + 1}: ${last.join(", ")}`);
    }
    return figures;
  } finally {
    await reader.stop();
    await desk.stop();
    await stage.close();
  }
}
