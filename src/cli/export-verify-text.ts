import type { DayDifference } from "../export/day-tally.ts";
import type { TableVerdict } from "../export/verify.ts";
import type { VerifyOutcome } from "./export-verify.ts";
import type { Paint } from "./table.ts";
import { countOf, formatTable } from "./table.ts";

const mostDays = 20;

/** What a comparison found, for people. */
export function verdictText(name: string, { verdicts, repaired }: VerifyOutcome, paint: Paint): string {
  const columns = [
    { title: "dataset" },
    { title: "table" },
    { title: "rows here", numeric: true },
    { title: "in the warehouse", numeric: true },
    { title: "" },
  ];
  const rows = verdicts.map(({ dataset, table, sourceRows, sinkRows, differences }) => [
    dataset,
    table,
    sourceRows,
    sinkRows,
    differences.length === 0
      ? paint.good("the same")
      : paint.bad(`differs on ${countOf(differences.length, "day")}`),
  ]);
  const differing = verdicts.filter(({ differences }) => differences.length > 0);
  const end =
    differing.length === 0
      ? `${name}: both sides are the same${repaired.length > 0 ? " now" : ""}`
      : `${name}: the sides differ. What changed since the last run counts as different: --run-first runs it before comparing, --repair sends these days again.`;
  return [formatTable(columns, rows), "", ...differing.flatMap(dayLines), end].join("\n");
}

function dayLines({ table, differences }: TableVerdict): string[] {
  const rows = differences
    .slice(0, mostDays)
    .map(({ day, source, sink }) => [day, source?.rows ?? 0, sink?.rows ?? 0, reasonOf({ source, sink })]);
  const columns = [
    { title: table },
    { title: "rows here", numeric: true },
    { title: "in the warehouse", numeric: true },
    { title: "" },
  ];
  const more = differences.length - mostDays;
  return [formatTable(columns, rows), ...(more > 0 ? [`… and ${countOf(more, "day")} more`] : []), ""];
}

function reasonOf({ source, sink }: Pick<DayDifference, "source" | "sink">): string {
  const missing = (source?.rows ?? 0) - (sink?.rows ?? 0);
  if (missing > 0) return `${countOf(missing, "row")} missing`;
  if (missing < 0) return `${countOf(-missing, "row")} too many`;
  return "other values";
}
