import type { Engine } from "../jobs/engine.ts";
import { dueSince } from "./timetables.ts";

/** A run that is due has so long to be done before its export counts as overdue. */
const graceMs = 60_000;

/** Reads how fresh the exports are whenever the metrics are asked for. */
export function watchExports(engine: Engine): void {
  engine.metrics.onScrape(async (gauges) => {
    const standings = await engine.ledger.exports.standings();
    for (const { name, schedule } of engine.setup().config.exports) {
      const standing = standings.find((one) => one.export === name);
      const now = engine.now();
      const since = standing?.scheduledSince;
      const due = schedule && dueSince(schedule, since, standing?.doneUntil, now - graceMs);
      gauges.exportStanding(name, standing?.lastDoneAt, due === undefined ? 0 : now - due);
      for (const { table, asOf } of await engine.ledger.exports.tables(name)) {
        if (asOf !== null) gauges.exportLag(name, table, now - Date.parse(asOf));
      }
    }
  });
}
