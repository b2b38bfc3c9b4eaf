import type { Intake } from "../jobs/intake.ts";
import { checkedEvent } from "../jobs/intake.ts";
import type { EventInput } from "../model/event.ts";

/** What became of the events of one request. */
export interface Acceptance {
  readonly accepted: number;
  readonly duplicates: number;
}

/**
 * Stores all events of one request and resolves when the last is durable. Events of one subject are stored one after the other, in their order;
 * those of different subjects at the same time. Where one is not canonical none is stored (`webhook_malformed`). Where one could
 * not be stored the first such fault is thrown after the others are through: sent again, those are duplicates.
 */
export async function acceptAll(
  intake: Pick<Intake, "accept">,
  connection: string,
  events: readonly EventInput[],
  receivedAt: number,
): Promise<Acceptance> {
  const [only] = events;
  if (only !== undefined && events.length === 1) {
    const { duplicate } = await intake.accept(connection, only, receivedAt);
    return duplicate ? { accepted: 0, duplicates: 1 } : { accepted: 1, duplicates: 0 };
  }
  for (const event of events) checkedEvent(connection, event);
  const bySubject = Map.groupBy(events, (event) => event.subject);
  const acceptInOrder = async (group: readonly EventInput[]): Promise<number> => {
    let accepted = 0;
    for (const event of group) {
      const { duplicate } = await intake.accept(connection, event, receivedAt);
      if (!duplicate) accepted += 1;
    }
    return accepted;
  };
  const groups = await Promise.allSettled([...bySubject.values()].map(acceptInOrder));
  let accepted = 0;
  for (const group of groups) {
    if (group.status === "rejected") throw group.reason;
    accepted += group.value;
  }
  return { accepted, duplicates: events.length - accepted };
}
