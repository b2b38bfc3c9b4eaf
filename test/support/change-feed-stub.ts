import type { StubServer } from "./http-server.ts";
import { openStubServer } from "./http-server.ts";

type FeedChange = { readonly sequence: string } & Readonly<Record<string, unknown>>;

/** A change as the Support API's feed lists it. */
export function feedChange(id: number, at: number, facts: object = {}): FeedChange {
  return {
    id: `evt_${id}`,
    sequence: sequenceOf(id),
    type: "ticket.updated",
    time: new Date(at).toISOString(),
    actor: "key_7",
    object_id: "tkt_1",
    ticket_id: "tkt_1",
    data: { status: ["open", "pending"] },
    ...facts,
  };
}

function sequenceOf(id: number): string {
  return id.toString(16).padStart(26, "0");
}

export interface ChangeFeedStub extends StubServer {
  /** Adds a change to the end of the feed. */
  readonly change: (at: number, facts?: object) => void;
}

/** A change feed in memory, four changes a page. */
export async function openChangeFeedStub(): Promise<ChangeFeedStub> {
  const changes: FeedChange[] = [];
  const server = await openStubServer(({ url }) => {
    const after = url.searchParams.get("after") ?? "";
    const rest = changes.filter((change) => change.sequence > after);
    const data = rest.slice(0, 4);
    return {
      data,
      next_cursor: data.at(-1)?.sequence ?? (after || sequenceOf(0)),
      has_more: rest.length > data.length,
    };
  });
  return { ...server, change: (at, facts) => void changes.push(feedChange(changes.length + 1, at, facts)) };
}
