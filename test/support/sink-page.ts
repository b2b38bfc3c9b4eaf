import { missingOf, sinkCaseList, sinkFeatures } from "../../src/sdk/testing/index.ts";
import type { SinkFeature, SinkSuite } from "../../src/sdk/testing/index.ts";

/** `docs/reference/sinks.md`. */
export function sinksPage(suites: readonly SinkSuite[]): string {
  const features = Object.entries(sinkFeatures) as [SinkFeature, string][];
  return [
    "# Sinks",
    "\n<!-- Generated from the sinks' suites in test/support by `npm run docs`. Edit them there. -->\n",
    "Where an export goes. Every sink is held to the same suite, `testSink` of `deskbridge/sdk/testing`, by tests that run with `npm test`: a **✓** is a fact that",
    "the sink is tested for, **–** one that it says it does not do, with the reason below. A case fails the build; there is no other mark.",
    "",
    "## What a sink does",
    "",
    row(["", ...suites.map(({ name }) => name)]),
    row(["---", ...suites.map(() => ":-:")]),
    ...features.map(([feature, text]) =>
      row([text, ...suites.map(({ without }) => (without?.[feature] === undefined ? "✓" : "–"))]),
    ),
    "",
    "## What it does not do, and why",
    "",
    ...suites.flatMap(({ name, without }) =>
      Object.entries(without ?? {}).map(
        ([feature, reason]) => `- \`${name}\`: not “${sinkFeatures[feature as SinkFeature]}”: ${reason}.`,
      ),
    ),
    "",
    "## Every case",
    "",
    row(["", ...suites.map(({ name }) => name)]),
    row(["---", ...suites.map(() => ":-:")]),
    ...sinkCaseList.map((one) =>
      row([one.name, ...suites.map((suite) => (missingOf(suite, one) === undefined ? "✓" : "–"))]),
    ),
    "",
  ].join("\n");
}

function row(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}
