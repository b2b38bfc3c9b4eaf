import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseConfig } from "../../src/config/parse.ts";
import { formatProblem } from "../../src/flows/located.ts";
import { explainRouting, routeEvent } from "../../src/flows/route.ts";
import { tryFlow } from "../../src/flows/try.ts";
import type { Trial } from "../../src/flows/try.ts";
import type { Event } from "../../src/model/event.ts";
import { fixtureRegistry, fixtureSecrets } from "./fixture-registry.ts";

const folder = join(import.meta.dirname, "fixtures/flows");
const names = readdirSync(folder)
  .filter((name) => name.endsWith(".yaml"))
  .map((name) => name.slice(0, -".yaml".length));

const connections = `connections:
  shop: { use: shop, shop: acme.example, clientSecret: "\${SHOP_SECRET}" }
  other: { use: shop, shop: other.example, clientSecret: "\${SHOP_SECRET}" }
  desk: { use: desk }
`;

describe("every flow in flows/ makes of its event what the file beside it says", () => {
  test("there are several of them", () => {
    expect(names.length).toBeGreaterThan(7);
  });

  test.each(names)("%s", async (name) => {
    const texts = [
      { file: "connections.yaml", text: connections },
      { file: `${name}.yaml`, text: readFileSync(join(folder, `${name}.yaml`), "utf8") },
    ];
    const result = await parseConfig(texts, fixtureRegistry, fixtureSecrets);
    expect(result.ok ? [] : result.problems.map(formatProblem)).toEqual([]);
    const flows = result.ok ? result.config.flows : [];
    const event = JSON.parse(readFileSync(join(folder, `${name}.event.json`), "utf8")) as Event;
    const outcome = {
      trials: flows.map((flow) => ({ flow: flow.name, ...shown(tryFlow(flow, event)) })),
      deliveries: routeEvent(flows, event, "live"),
      routing: explainRouting(flows, event),
    };
    await expect(`${JSON.stringify(outcome, null, 2)}\n`).toMatchFileSnapshot(
      join(folder, `${name}.outcome.json`),
    );
  });
});

function shown(trial: Trial): object {
  if (trial.outcome !== "failed") return trial;
  const { code, message, details } = trial.error;
  return { outcome: "failed", code, message, details };
}
