import { expect } from "vitest";
import { instant } from "../../model/data.ts";
import { eventData, isEventType } from "../../model/event.ts";
import type { EventInput } from "../../model/event.ts";

/**
 * Fails unless every event is one that the engine can store and a flow can map: a canonical type, `data` that its schema accepts as it is,
 * an identity, a subject, a UTC time, and nothing that JSON would lose.
 */
export function expectValidEvents(events: readonly EventInput[]): void {
  for (const event of events) {
    expect(isEventType(event.type), `the event type ${event.type} is canonical`).toBe(true);
    const checked = eventData[event.type].safeParse(event.data);
    expect(checked.error?.issues ?? [], `data of ${event.type} ${event.id}`).toEqual([]);
    expect(checked.data, `data of ${event.type} ${event.id} is complete as handed over`).toEqual(event.data);
    expect(event.id, "the event id").toMatch(/^\S(.{0,253}\S)?$/);
    expect(event.subject, "the subject names an object").toMatch(/^[^/\s]+\/\S+$/);
    expect(instant.safeParse(event.time).success, `the time ${event.time} is RFC 3339 UTC`).toBe(true);
    expect(JSON.parse(JSON.stringify(event)), `${event.type} ${event.id} survives JSON`).toEqual(event);
  }
  const ids = events.map((event) => event.id);
  expect(new Set(ids).size, `event ids are distinct: ${ids.join(", ")}`).toBe(ids.length);
}
