import { deskQueriesReport } from "./desk-queries-report.ts";
import type { DeskReport } from "./desk-report.ts";
import { deskFeedReport, deskWritesReport } from "./desk-report.ts";
import { measureDeskFeed } from "./measure-desk-feed.ts";
import { measureDeskQueries } from "./measure-desk-queries.ts";
import { measureDeskWrites } from "./measure-desk-writes.ts";
import type { DeskMeasure } from "./options.ts";

/** Makes one measurement of the Support API. */
export async function measureDesk(measure: DeskMeasure, note: (line: string) => void): Promise<DeskReport> {
  switch (measure.name) {
    case "desk-queries":
      return deskQueriesReport(await measureDeskQueries({ ...measure, note }));
    case "desk-writes":
      return deskWritesReport(await measureDeskWrites({ ...measure, note }), measure.writes);
    case "desk-feed":
      return deskFeedReport(await measureDeskFeed({ ...measure, note }));
  }
}
