import { expect, it } from "vitest";
import { cliPage } from "../support/cli-page.ts";
import { datasetsPage } from "../support/dataset-page.ts";
import { errorsPage, metricsPage, telemetryPage } from "../support/reference-pages.ts";
import { sinksPage } from "../support/sink-page.ts";
import { sinkSuites } from "../support/sink-suites.ts";

it("docs/reference/errors.md says what the error catalogue says", async () => {
  const page = errorsPage();
  expect(page).toContain("`ledger_unavailable`");
  await expect(page).toMatchFileSnapshot("../../docs/reference/errors.md");
});

it("docs/reference/telemetry.md says what the metric catalogue says", async () => {
  const page = telemetryPage();
  expect(page).toContain("`deskbridge_events_total`");
  await expect(page).toMatchFileSnapshot("../../docs/reference/telemetry.md");
});

it("docs/reference/metrics.md says what the answers of the Support API define", async () => {
  const page = metricsPage();
  expect(page).toContain("`first_reply_time`");
  await expect(page).toMatchFileSnapshot("../../docs/reference/metrics.md");
});

it("docs/reference/cli.md says what the verbs say of themselves", async () => {
  const page = cliPage();
  expect(page).toContain("## `dead retry`");
  await expect(page).toMatchFileSnapshot("../../docs/reference/cli.md");
});

it("docs/reference/datasets.md says what the catalogue of datasets says, and what each desk gives", async () => {
  const page = await datasetsPage();
  expect(page).toContain("| `full_resolution_business_seconds` |");
  await expect(page).toMatchFileSnapshot("../../docs/reference/datasets.md");
});

it("docs/reference/sinks.md says what the sinks' suites hold them to", async () => {
  const page = sinksPage(sinkSuites);
  expect(page).toContain("| shows nothing before the commit and everything after it |");
  await expect(page).toMatchFileSnapshot("../../docs/reference/sinks.md");
});
