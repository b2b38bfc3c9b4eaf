import type { DayFigures } from "./figures.ts";

const columns = [
  ["day", ({ day }) => day],
  ["opened", ({ opened }) => String(opened)],
  ["solved", ({ solved }) => String(solved)],
  ["backlog", ({ backlog }) => String(backlog)],
  ["first reply", ({ firstReplyP50 }) => formatSeconds(firstReplyP50)],
  ["resolution", ({ resolutionP50 }) => formatSeconds(resolutionP50)],
  ["rating", ({ rating }) => rating?.toFixed(1) ?? "–"],
] as const satisfies readonly (readonly [string, (figures: DayFigures) => string])[];

/** The figures as a table, a day a line. */
export function formatTable(days: readonly DayFigures[]): string {
  const rows = [columns.map(([title]) => title), ...days.map((day) => columns.map(([, text]) => text(day)))];
  const widths = columns.map((_column, index) => Math.max(...rows.map((row) => row[index]?.length ?? 0)));
  return rows
    .map((row) => row.map((text, index) => pad(text, widths[index] ?? 0, index === 0)).join("  "))
    .join("\n");
}

const widest = 40;

/** What was opened and what was solved, as bars. */
export function formatChart(days: readonly DayFigures[]): string {
  const most = Math.max(1, ...days.flatMap(({ opened, solved }) => [opened, solved]));
  const bar = (count: number, sign: string): string => sign.repeat(Math.ceil((count / most) * widest));
  return days
    .flatMap(({ day, opened, solved }) => [
      `${day}  ${bar(opened, "█")} ${opened} opened`,
      `${" ".repeat(day.length)}  ${bar(solved, "░")} ${solved} solved`,
    ])
    .join("\n");
}

/** A length of time in its two largest units. */
export function formatSeconds(seconds: number | null): string {
  if (seconds === null) return "–";
  const minutes = Math.round(seconds / 60);
  if (minutes < 1) return `${Math.round(seconds)} s`;
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

function pad(text: string, width: number, isLeft: boolean): string {
  return isLeft ? text.padEnd(width) : text.padStart(width);
}
