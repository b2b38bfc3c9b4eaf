import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import type { Step } from "../../demo/day/day.ts";
import { createSupportApi } from "../../demo/desk/support-api.ts";
import { deskbridgeHome } from "../support/deskbridge-process.ts";
import { embeddedUrl, openShopDay, settledCounts } from "../support/shop-day.ts";

/** A flow that the demo's configuration does not have. */
const deliveredFlow = `
  delivered:
    on: { connection: shop, events: [fulfillment.delivered] }
    do:
      - ticket.open:
          at: desk
          key: "delivered:{{ event.data.fulfillment.id }}"
          requester: { email: "{{ event.data.customer.email }}" }
          subject: "Order {{ event.data.order.name }} has arrived"
          message: "{{ event.data.fulfillment.message }}"
`;

function withFlow(configuration: string, flow: string): string {
  return configuration.replace(/^flows:\n/m, `flows:${flow}`);
}

it("takes up a changed configuration on SIGHUP, and keeps the one in force when the new one is wrong", async () => {
  const run = await openShopDay(51);
  onTestFinished(run.close);
  const home = await deskbridgeHome();
  onTestFinished(home.remove);
  const config = join(home.dataDir, "deskbridge.yaml");
  const before = await readFile(run.config, "utf8");
  await writeFile(config, before);
  const process = await home.start({ config, variables: run.variables });
  const database = await embeddedUrl(home.dataDir);
  const api = createSupportApi(process.url, run.variables["DESKBRIDGE_API_KEY"] ?? "");
  const delivered = run.day.steps.filter((step) => step.body.includes('"status":"delivered"'));
  const [first, second, third] = delivered.filter((step) => !step.isRepeat) as [Step, Step, Step];
  const subjects = async () => (await api.ticketsAfter(0)).map((ticket) => ticket.subject);

  expect(await run.send(process.url, first)).toBe(202);
  await settledCounts(database, 1, 20_000);
  expect(await subjects()).toEqual([]);

  await writeFile(config, withFlow(before, deliveredFlow));
  process.kill("SIGHUP");
  await process.printed("configuration loaded again");
  expect(await run.send(process.url, second)).toBe(202);
  await settledCounts(database, 2, 20_000);
  expect(await subjects()).toEqual([`Order ${second.chain} has arrived`]);

  await writeFile(config, withFlow(before, deliveredFlow.replace("customer.email", "customer.emial")));
  process.kill("SIGHUP");
  await process.printed("the old configuration stays in force");
  expect(process.output()).toContain("deskbridge.yaml");
  expect(process.output()).toContain("email");
  expect(await run.send(process.url, third)).toBe(202);
  await settledCounts(database, 3, 20_000);
  expect(await subjects()).toEqual([`Order ${second.chain} has arrived`, `Order ${third.chain} has arrived`]);
  expect(run.leaks(process.output())).toEqual([]);
});
