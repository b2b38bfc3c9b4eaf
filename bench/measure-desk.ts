import { deskQueriesReport } from "./desk-queries-report.ts";
import type { DeskReport } from "./desk-report.ts";
import { deskFeedReport, deskWritesReport } from "./desk-report.ts";
import { exportExactReport, exportSpeedReport } from "./export-report.ts";
import { exportFilesReport } from "./export-files-report.ts";
import { measureDeskFeed } from "./measure-desk-feed.ts";
import { measureDeskQueries } from "./measure-desk-queries.ts";
import { measureDeskWrites } from "./measure-desk-writes.ts";
import { measureExportExact } from "./measure-export-exact.ts";
import { measureExportFiles } from "./measure-export-files.ts";
import { measureExportSpeed } from "./measure-export-speed.ts";
import type { DeskMeasure } from "./options.ts";

const runsOfAYear = 30;

/** Makes one measurement of the Support API or of exports. */
export async function measureDesk(measure: DeskMeasure, note: (line: string) => void): Promise<DeskReport> {
  switch (measure.name) {
    case "desk-queries":
      return deskQueriesReport(await measureDeskQueries({ ...measure, note }));
    case "desk-writes":
      return deskWritesReport(await measureDeskWrites({ ...measure, note }), measure.writes);
    case "desk-feed":
      return deskFeedReport(await measureDeskFeed({ ...measure, note }));
    case "export-exact":
      note(`seed ${measure.seed}`);
      return exportExactReport(await measureExportExact({ ...measure, rounds: runsOfAYear, note }));
    case "export-speed":
      return exportSpeedReport(await measureExportSpeed({ ...measure, note }));
    case "export-files":
      return exportFilesReport(await measureExportFiles({ ...measure, note }));
  }
}
