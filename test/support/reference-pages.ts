import { errorCatalogue } from "../../src/errors.ts";
import { generalDefinitions, metricDefinitions } from "../../src/desk/metric-definition.ts";
import type { MetricRow } from "../../src/telemetry/metric-catalogue.ts";
import { metricCatalogue } from "../../src/telemetry/metric-catalogue.ts";

const retryMeanings = {
  retry: "tried again, with growing pauses",
  retry_after: "tried again when the other side said, without costing an attempt",
  reconnect: "the target is paused until its credential works again",
  stop: "not tried again: a delivery becomes a dead letter, a request is refused",
};

/** `docs/reference/errors.md`. */
export function errorsPage(): string {
  const retryClasses = Object.entries(retryMeanings).map(([name, meaning]) => `| \`${name}\` | ${meaning} |`);
  const codes = Object.entries(errorCatalogue).map(
    ([code, row]) =>
      `## \`${code}\`\n\n${row.meaning}\n\n- HTTP status where it leaves through our API: ${row.status}\n` +
      `- What the engine does next: \`${row.retry}\`\n- What to do: ${row.remedy}\n`,
  );
  return [
    "# Errors",
    generatedFrom("src/errors.ts"),
    "Every error of deskbridge has one of these codes. A code never changes its meaning and is never used for another one. Over HTTP it is the",
    "`code` of an `application/problem+json` body; in logs and dead letters it is the `code` field.",
    "",
    "| Retry class | What the engine does |\n| --- | --- |",
    ...retryClasses,
    "",
    codes.join("\n"),
  ].join("\n");
}

/** `docs/reference/telemetry.md`. */
export function telemetryPage(): string {
  const rows = Object.entries<MetricRow>(metricCatalogue).map(([name, row]) => {
    const labels = row.labels.length === 0 ? "none" : row.labels.map((label) => `\`${label}\``).join(", ");
    const buckets = row.buckets === undefined ? "" : `- Buckets: ${row.buckets.join(", ")}\n`;
    return `## \`${name}\`\n\n${row.help}\n\n- Kind: ${row.kind}\n- Labels: ${labels}\n${buckets}`;
  });
  return [
    "# Telemetry",
    generatedFrom("src/telemetry/metric-catalogue.ts"),
    "What deskbridge tells of itself; what the support desk counts of its tickets are the [support metrics](metrics.md).",
    "`GET /metrics` gives these in the Prometheus text format, together with Node's own process metrics. Labels take values of the configuration",
    "or of a fixed list, never of a request.",
    "",
    rows.join("\n"),
  ].join("\n");
}

/** `docs/reference/metrics.md`. */
export function metricsPage(): string {
  const parts = Object.entries({ ...metricDefinitions, ...generalDefinitions });
  const definitions = parts.map(([name, text]) => `## \`${name}\`\n\n${text}\n`);
  return [
    "# Support metrics",
    generatedFrom("src/desk/metric-definition.ts"),
    "What `GET /v1/metrics` of the [Support API](support-api.md#metrics) counts. The same words come with every answer, as `definitions`. How to ask",
    "is told there; what deskbridge tells of itself, at `GET /metrics`, is on the page about [telemetry](telemetry.md).",
    "",
    definitions.join("\n"),
  ].join("\n");
}

function generatedFrom(source: string): string {
  return `\n<!-- Generated from ${source} by \`npm run docs\`. Edit it there. -->\n`;
}
