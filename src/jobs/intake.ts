import { AppError, toAppError } from "../errors.ts";
import { routeEvent } from "../flows/route.ts";
import type { AppendItem, Appended, CursorMove, DeliveryPriority } from "../ledger/ledger.ts";
import type { Event, EventInput } from "../model/event.ts";
import { eventData } from "../model/event.ts";
import type { Engine } from "./engine.ts";

const maxIdLength = 500;
const maxSubjectLength = 500;

/** How events come in: `webhook`, `poll`, `backfill`, `replay`. Backfilled and replayed ones wait for live ones. */
export type Via = "webhook" | "poll" | "backfill" | "replay";

/** Takes events in: checks them, finds their flows, stores both, and rings once that is durable. */
export interface Intake {
  /** Resolves when the event is durable. Throws `webhook_malformed` for an event that is not canonical, `ledger_*` when it could not be stored. */
  readonly accept: (connection: string, input: EventInput, receivedAt: number) => Promise<Appended>;
  /** Stores a page of events and moves the source's cursor with them. */
  readonly acceptPage: (
    inputs: readonly EventInput[],
    move: CursorMove,
    via: "poll" | "backfill",
  ) => Promise<readonly Appended[]>;
}

export function createIntake(engine: Engine): Intake {
  const toItem = (event: Event, receivedAt: number, via: Via): AppendItem => {
    const priority: DeliveryPriority = via === "webhook" || via === "poll" ? "live" : "backfill";
    return { event, receivedAt, via, deliveries: routeEvent(engine.setup().config.flows, event, priority) };
  };
  const over = (item: AppendItem, appended: Appended): void => {
    engine.metrics.event(item.event.source, item.event.type, appended.duplicate ? "duplicate" : "accepted");
    if (appended.duplicate) return;
    for (const delivery of item.deliveries) {
      if (delivery.dead === undefined) {
        engine.queue.ring(delivery.target, [delivery.lane], { priority: delivery.priority });
      }
    }
  };
  return {
    accept: async (connection, input, receivedAt) => {
      const item = toItem(checkedEvent(connection, input), receivedAt, "webhook");
      const appended = await engine.ledger.append(item);
      engine.crashPoint("ingress.appended");
      over(item, appended);
      return appended;
    },
    acceptPage: async (inputs, move, via) => {
      const receivedAt = engine.now();
      const items = inputs.map((input) => {
        try {
          return toItem(checkedEvent(move.connection, input), receivedAt, via);
        } catch (error) {
          const fault = toAppError(error);
          engine.metrics.event(move.connection, input.type, "rejected");
          engine.logger.error(
            { connection: move.connection, source: move.source, event: input.id, code: fault.code },
            fault.message,
          );
          return unusableItem(move.connection, input, receivedAt, via, fault);
        }
      });
      const appended = await engine.ledger.appendPage(items, move);
      engine.crashPoint("poll.committed");
      items.forEach((item, index) => over(item, appended[index] as Appended));
      return appended;
    },
  };
}

/** A polled record that is not canonical would come again for ever and block its source: it is kept as a dead letter instead. */
function unusableItem(
  source: string,
  input: EventInput,
  receivedAt: number,
  via: Via,
  fault: AppError,
): AppendItem {
  const event = {
    ...input,
    source,
    id: input.id.slice(0, maxIdLength) || `unusable-${receivedAt}`,
    subject: input.subject.slice(0, maxSubjectLength),
    time: new Date(receivedAt).toISOString(),
  } as Event;
  const dead = { code: fault.code, message: fault.message };
  const delivery = {
    flow: "(intake)",
    target: "(intake)",
    lane: event.subject,
    priority: "live",
    dead,
  } as const;
  return { event, receivedAt, via, deliveries: [delivery] };
}

/** The event with its connection's name on it, or `webhook_malformed` with the paths that are not canonical. */
export function checkedEvent(connection: string, input: EventInput): Event {
  const problems: string[] = [];
  if (input.id.length === 0 || input.id.length > maxIdLength)
    problems.push(`id: 1 to ${maxIdLength} characters`);
  if (input.subject.length === 0 || input.subject.length > maxSubjectLength) {
    problems.push(`subject: 1 to ${maxSubjectLength} characters`);
  }
  if (Number.isNaN(Date.parse(input.time))) problems.push("time: an RFC 3339 instant");
  const schema = eventData[input.type];
  if (schema === undefined) throw new AppError("webhook_malformed", `${input.type} is not an event type`);
  const parsed = schema.safeParse(input.data);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) problems.push(`data.${issue.path.join(".")}: ${issue.message}`);
  }
  if (problems.length > 0 || !parsed.success) {
    const message = `the event is not a canonical ${input.type}: ${problems.join("; ")}`;
    throw new AppError("webhook_malformed", message, { details: { problems } });
  }
  return { ...input, source: connection, data: parsed.data };
}
