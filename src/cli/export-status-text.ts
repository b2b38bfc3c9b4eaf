import type { ExportMode, ExportRunRecord, ExportTableRecord } from "../ledger/exports.ts";
import { bytesText } from "./export-run-text.ts";
import type { ExportStatus } from "./export-status.ts";
import type { Paint } from "./table.ts";
import { clip, formatTable, oneLine } from "./table.ts";
import { agoText, durationText } from "./time-text.ts";

/** How exports stand, for people; with tables and runs where one was asked for by name. */
export function statusText(
  statuses: readonly ExportStatus[],
  isDetailed: boolean,
  paint: Paint,
  now: number,
): string {
  if (statuses.length === 0) return "No exports. See docs/guides/exports.md for a first one.";
  const parts = [overview(statuses, paint, now)];
  for (const status of statuses) {
    const { export: name, state, runs, configured } = status;
    if (state === "failed" && runs[0] !== undefined) {
      const { code, message } = runs[0];
      parts.push(
        `${name} failed: ${code ?? "internal"}: ${oneLine(message ?? "")}\nWhat was published stays; the next run goes on from there. \`deskbridge export run ${name}\` tries it now.`,
      );
    }
    if (state === "running")
      parts.push(...(runs[0]?.tables ?? []).flatMap((table) => waitingLine(name, table)));
    if (state === "aborted")
      parts.push(`${name} was stopped before its end; the next run goes on from there.`);
    if (!configured) parts.push(`${name} is not configured any more.`);
  }
  if (isDetailed) parts.push(...statuses.flatMap((status) => details(status, paint, now)));
  return parts.join("\n\n");
}

/** A table of a run that goes on has a fault where it waits for another try. */
function waitingLine(name: string, { table, state, code, message }: ExportTableRecord): string[] {
  if (state !== "running" || code === null) return [];
  return [`${name} tries ${table} again: ${code}: ${oneLine(message ?? "")}`];
}

function overview(statuses: readonly ExportStatus[], paint: Paint, now: number): string {
  const titles = ["export", "state", "last run", "rows", "complete up to", "behind by", "next run"];
  const columns = titles.map((title) => ({ title, numeric: title === "rows" }));
  const rows = statuses.map(({ export: name, state, runs, watermark, lagSeconds, nextRun }) => [
    name,
    stateText(state, paint),
    runs[0] === undefined ? "-" : agoText(Date.parse(runs[0].startedAt), now),
    runs[0] === undefined ? "-" : rowsOf(runs[0]),
    watermark ?? "-",
    lagSeconds === null ? "-" : durationText(lagSeconds * 1000),
    nextRun ?? "by hand",
  ]);
  return formatTable(columns, rows);
}

function stateText(state: ExportStatus["state"], paint: Paint): string {
  if (state === "done") return paint.good(state);
  return state === "failed" ? paint.bad(state) : paint.warning(state);
}

function rowsOf({ tables }: ExportRunRecord): number {
  return tables.reduce((sum, { inserted, updated, deleted }) => sum + inserted + updated + deleted, 0);
}

function details({ tables, runs }: ExportStatus, paint: Paint, now: number): string[] {
  const parts: string[] = [];
  if (tables.length > 0) {
    const columns = ["table", "dataset", "warehouse", "complete up to", "moved", "columns"].map((title) => ({
      title,
    }));
    const rows = tables.map(({ table, dataset, sink, asOf, movedAt, schemaVersion, columns: held }) => [
      table,
      dataset,
      sink,
      asOf ?? "-",
      agoText(Date.parse(movedAt), now),
      `${held.length}, version ${schemaVersion}`,
    ]);
    parts.push(formatTable(columns, rows));
  }
  if (runs.length > 0) parts.push(runTable(runs, paint, now));
  return parts;
}

function runTable(runs: readonly ExportRunRecord[], paint: Paint, now: number): string {
  const columns = [
    { title: "run", numeric: true },
    ...["started", "by", "what", "state"].map((title) => ({ title })),
    ...["rows", "size", "time"].map((title) => ({ title, numeric: true })),
    { title: "why", long: true },
  ];
  const rows = runs.map((run) => [
    String(run.run),
    agoText(Date.parse(run.startedAt), now),
    run.trigger,
    modeText(run.mode),
    stateText(run.state, paint),
    rowsOf(run),
    bytesText(run.tables.reduce((sum, { bytes }) => sum + bytes, 0)),
    run.finishedAt === null ? "-" : durationText(Date.parse(run.finishedAt) - Date.parse(run.startedAt)),
    run.code === null ? "" : clip(`${run.code}: ${run.message ?? ""}`, 200),
  ]);
  return formatTable(columns, rows);
}

function modeText(mode: ExportMode): string {
  if (mode.kind === "days") return `${mode.from} up to ${mode.until}`;
  return mode.kind === "full" ? "everything" : "what changed";
}
