import { describe, expect, it } from "vitest";
import { openGorgiasBench } from "../support/gorgias-bench.ts";
import { readGorgiasContract } from "../support/gorgias-contract.ts";
import type { GorgiasExchange } from "../support/gorgias-stub.ts";

const key = "fulfillment:1";

/** A call for each thing that the connector does. */
async function tour(): Promise<readonly GorgiasExchange[]> {
  const exchanges: GorgiasExchange[] = [];
  const { run, open, connection } = await openGorgiasBench(
    { webhook: { secrets: "s" } },
    { onExchange: (exchange) => void exchanges.push(exchange) },
  );
  const customer = { email: "ada@example.com", phone: "+15024592181", name: "Ada" };
  await open("a", { priority: "urgent", tags: ["late"], customFields: { "7": 1 } });
  await open("b", { tags: ["twice"] });
  await run("ticket.reply", { key, message: "Hello" }, "c");
  await run("ticket.note", { key, message: "Psst" }, "d");
  await run("ticket.update", { key, subject: "Other", priority: "low", customFields: { "8": 2 } }, "e");
  await run("ticket.close", { key }, "f");
  await open("g", { onClosed: "followUp", requester: { phone: "+493012345678" } });
  await run("contact.upsert", customer, "h");
  await run("contact.upsert", { ...customer, externalId: "7" }, "i");
  await connection.check?.(new AbortController().signal);
  const source = connection.sources?.["tickets"];
  for await (const _ of source!.read({ cursor: undefined, signal: new AbortController().signal }));
  return exchanges;
}

describe("what is sent to Gorgias", () => {
  it("is as a description of its API has it, and so is what the stub answers", async () => {
    const violations = readGorgiasContract();
    const exchanges = await tour();
    expect(exchanges.length).toBeGreaterThan(20);
    // Without the description only the tour was made.
    expect(violations === undefined ? [] : exchanges.flatMap(violations)).toEqual([]);
  });

  it("is refused by the check when it is not", async () => {
    const violations = readGorgiasContract();
    const wrong = { method: "POST", path: "/api/tickets", body: { subject: 7 }, status: 201, answer: {} };
    const unknown = { ...wrong, path: "/api/nothing" };
    const found =
      violations === undefined ? undefined : [wrong, unknown].map((one) => violations(one).length > 0);
    expect(found ?? [true, true]).toEqual([true, true]);
  });
});
