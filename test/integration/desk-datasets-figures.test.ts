import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { businessSpans } from "../../src/desk/business-hours.ts";
import { groupings } from "../../src/desk/metric-facts.ts";
import { createDatasetCopy, readWhole } from "../support/dataset-copy.ts";
import type { DeskStand } from "../support/desk.ts";
import { openDeskStand } from "../support/desk.ts";
import { bruteForce, countBusiness } from "../support/metric-brute-force.ts";
import type { BruteReport, BusinessCounter } from "../support/metric-brute-force.ts";
import type { TicketLog } from "../support/metric-history.ts";
import { openHistory } from "../support/metric-history.ts";
import { calendars, historySteps, pause, starts, ticketGroups } from "../support/metric-steps.ts";
import type { ShownTicket } from "../support/metric-steps.ts";

let stand: DeskStand;

beforeAll(async () => {
  stand = await openDeskStand();
});
afterAll(() => stand.close());

type Rows = Record<string, Readonly<Record<string, unknown>>>;

const daySeconds = 86_400;
const timeOf = (at: number | undefined): string | null =>
  at === undefined ? null : new Date(at * 1000).toISOString().replace(".000Z", "Z");

/** The rows of `ticket_metrics` as the logs of tickets have them. */
function metricsOf(logs: readonly TicketLog[], business: BusinessCounter): Rows {
  const rows: Rows = {};
  for (const { id, createdAt, turns, replies, rating, merged } of logs) {
    if (merged) continue;
    const isSolved = turns.length % 2 === 1;
    const durations = (name: string, at: number | undefined): object => ({
      [`${name}_seconds`]: at === undefined ? null : at - createdAt,
      [`${name}_business_seconds`]: at === undefined ? null : business(createdAt, at),
    });
    rows[JSON.stringify([`tkt_${id}`])] = {
      ticket_id: `tkt_${id}`,
      ticket_created_at: timeOf(createdAt),
      first_reply_at: timeOf(replies[0]),
      ...durations("first_reply", replies[0]),
      first_resolved_at: timeOf(turns[0]),
      ...durations("first_resolution", turns[0]),
      resolved_at: isSolved ? timeOf(turns.at(-1)) : null,
      ...durations("full_resolution", isSolved ? turns.at(-1) : undefined),
      replies: replies.length,
      reopens: Math.floor(turns.length / 2),
      one_touch: turns.length === 1 && replies.length <= 1,
      csat_score: rating?.score ?? null,
    };
  }
  return rows;
}

/** The rows of `metrics_daily` from a day on, up to now: each counted for itself, of the tickets that are in its group. */
function daysOf(
  groups: ReadonlyMap<string, readonly TicketLog[]>,
  from: number,
  business: BusinessCounter,
): Rows {
  const rows: Rows = {};
  const first = Math.floor(from / daySeconds) * daySeconds;
  for (const [name, logs] of groups) {
    const [by, key] = JSON.parse(name) as [string, string];
    for (let start = first; start <= Date.now() / 1000; start += daySeconds) {
      const row = dayRow(bruteForce(logs, start, start + daySeconds, business));
      if (Object.values(row).every((value) => value === 0 || value === null)) continue;
      const day = new Date(start * 1000).toISOString().slice(0, 10);
      rows[JSON.stringify([day, by, key])] = { day, group_by: by, group_key: key, ...row };
    }
  }
  return rows;
}

interface Durations {
  readonly count: number;
  readonly calendar_seconds: Readonly<Record<string, number>> | null;
  readonly business_seconds: Readonly<Record<string, number>> | null;
}

function dayRow(report: BruteReport): Readonly<Record<string, unknown>> {
  const durations = (name: string, said: unknown): object => {
    const { count, calendar_seconds: calendar, business_seconds: business } = said as Durations;
    const figures = Object.entries({ calendar, business }).flatMap(([clock, values]) =>
      ["average", "p50", "p90", "p95"].map((figure) => [
        `${name}_${clock}_${figure}`,
        values?.[figure] ?? null,
      ]),
    );
    return { [`${name}_count`]: count, ...(Object.fromEntries(figures) as object) };
  };
  const csat = report.csat as { responses: number; average: number | null; good_share: number | null };
  return {
    volume: report.volume,
    solved: report.solved,
    backlog: report.backlog,
    ...durations("first_reply", report.first_reply_time),
    ...durations("full_resolution", report.full_resolution_time),
    reopen_rate: report.reopen_rate,
    one_touch_rate: report.one_touch_rate,
    csat_responses: csat.responses,
    csat_average: csat.average,
    csat_good_share: csat.good_share,
  };
}

/** The tickets of every group, by `[group_by, group_key]`. */
async function groupsOf(logs: readonly TicketLog[]): Promise<ReadonlyMap<string, readonly TicketLog[]>> {
  const groups = new Map<string, TicketLog[]>();
  const add = (by: string, key: string, log: TicketLog): void => {
    const name = JSON.stringify([by, key]);
    groups.set(name, [...(groups.get(name) ?? []), log]);
  };
  for (const log of logs.filter(({ merged }) => !merged)) {
    const shown = (await stand.send({ method: "GET", path: `/v1/tickets/tkt_${log.id}` }))
      .json as ShownTicket;
    add("all", "", log);
    for (const grouping of groupings)
      for (const key of ticketGroups(shown, grouping)) add(grouping, key ?? "", log);
  }
  return groups;
}

/** What a transaction of anybody else holds back is there a little later. */
const patience = { timeout: 10_000, interval: 5 };

it(
  "metrics are what counting the tickets one by one says, read whole or kept up to date",
  { timeout: 300_000 },
  async () => {
    let compared = 0;
    const read = fc.constantFrom(1, 3, 500, 50_000, undefined, undefined, undefined);
    const steps = fc.tuple(
      pause,
      historySteps(() => stand.desk.maintain()),
      read,
    );
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...starts),
        fc.constantFrom(...calendars),
        fc.array(steps, { minLength: 10, maxLength: 50 }),
        async (start, calendar, acts) => {
          const history = await openHistory(stand.databaseUrl, start);
          const copies = (["ticket_metrics", "metrics_daily"] as const).map((name) =>
            createDatasetCopy(stand, name),
          );
          try {
            const spans = businessSpans(calendar, 2026) ?? { opens: [], closes: [] };
            await history.write("put_business_hours", { ...calendar, ...spans });
            for (const [wait, step, limit] of acts) {
              history.wait(wait);
              await step(history);
              if (limit !== undefined) for (const copy of copies) await copy.step(limit);
            }
            const business = countBusiness(calendar);
            const expected = {
              ticket_metrics: metricsOf(history.tickets, business),
              metrics_daily: daysOf(await groupsOf(history.tickets), start, business),
            };
            for (const { dataset, table, catchUp } of copies) {
              const wanted = expected[dataset as keyof typeof expected];
              const kept = async (): Promise<unknown> => {
                await catchUp(40);
                return Object.fromEntries(table);
              };
              await expect.poll(kept, patience).toEqual(wanted);
              expect(Object.fromEntries(await readWhole(stand, dataset))).toEqual(wanted);
              const days = { from: "2026-01-01", until: "2100-01-01", limit: 100 };
              expect(Object.fromEntries(await readWhole(stand, dataset, days))).toEqual(wanted);
              compared += table.size;
            }
          } finally {
            await history.wipe();
          }
        },
      ),
      { numRuns: 8, endOnFailure: true },
    );
    expect(compared).toBeGreaterThan(1000);
  },
);
