/** One bar: what it stands for, how long it is, and what is written behind it. */
export interface Bar {
  readonly label: string;
  readonly value: number;
  readonly text: string;
}

const fullWidth = 32;
/** Eighths of a character, from none to seven. */
const parts = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/** Bars under each other, the longest as long as there is room for. What has no value has no bar. */
export function formatBars(bars: readonly Bar[]): string {
  const longest = Math.max(...bars.map(({ value }) => value), 0);
  const labelWidth = Math.max(...bars.map(({ label }) => label.length), 0);
  const lines = bars.map(({ label, value, text }) => {
    const eighths = longest === 0 ? 0 : Math.round((value / longest) * fullWidth * 8);
    const bar = "█".repeat(Math.floor(eighths / 8)) + (parts[eighths % 8] ?? "");
    return `${label.padEnd(labelWidth)}  ${bar}${bar === "" ? "" : " "}${text}`;
  });
  return lines.join("\n");
}
