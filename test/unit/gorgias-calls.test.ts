import { expect, it } from "vitest";
import { openGorgiasBench } from "../support/gorgias-bench.ts";
import type { GorgiasBench } from "../support/gorgias-bench.ts";

const key = "fulfillment:1";
const email = "ada@example.com";

const note = { key, message: "A note." };

/** The table of calls on the connector's reference page. */
const rows: readonly (readonly [
  what: string,
  calls: number,
  run: (bench: GorgiasBench) => Promise<unknown>,
])[] = [
  ["a ticket that is new", 2, ({ open }) => open("b", { key: "fulfillment:2" })],
  ["a message for an open ticket", 2, ({ open }) => open("b")],
  ["the same with a tag that is there", 2, ({ open }) => open("b", { tags: ["late"] })],
  ["the same with a tag that is not", 4, ({ open }) => open("b", { tags: ["twice"] })],
  ["a note", 2, ({ run }) => run("ticket.note", note, "b")],
  ["a reply", 2, ({ run }) => run("ticket.reply", note, "b")],
  ["an update that changes something", 2, ({ run }) => run("ticket.update", { key, priority: "high" }, "b")],
  ["an update that changes nothing", 1, ({ run }) => run("ticket.update", { key, status: "pending" }, "b")],
  [
    "an update of a custom field",
    3,
    ({ run }) => run("ticket.update", { key, customFields: { "7": 1 } }, "b"),
  ],
  ["a closing", 2, ({ run }) => run("ticket.close", { key }, "b")],
  ["a closing with a message", 3, ({ run }) => run("ticket.close", note, "b")],
  ["a tag that is there", 1, ({ run }) => run("ticket.tag", { key, add: ["late"], remove: [] }, "b")],
  ["a tag that is not", 3, ({ run }) => run("ticket.tag", { key, add: ["twice"], remove: [] }, "b")],
  [
    "a contact by e-mail address that is new",
    2,
    ({ run }) => run("contact.upsert", { email: "b@example.com" }, "b"),
  ],
  ["a contact that is as it should be", 1, ({ run }) => run("contact.upsert", { email, name: "Ada" }, "b")],
];

it.each(rows)("%s costs %i calls on Gorgias", async (_, calls, run) => {
  const bench = await openGorgiasBench();
  await bench.open("a", { tags: ["late"] });
  bench.calls();
  await run(bench);
  expect(bench.calls()).toHaveLength(calls);
});

it.each([
  ["reopen", 3],
  ["followUp", 3],
  ["ignore", 1],
] as const)("a repeat on a closed ticket with %s costs %i calls on Gorgias", async (onClosed, calls) => {
  const bench = await openGorgiasBench();
  await bench.open("a");
  await bench.run("ticket.close", { key }, "c");
  bench.calls();
  await bench.open("b", { onClosed });
  expect(bench.calls()).toHaveLength(calls);
});

it("knows a limit of 40 calls in 20 seconds for as long as it lasts: 20 new tickets", async () => {
  const bench = await openGorgiasBench();
  bench.stub.behaviour.limit = { calls: 40, perMs: 20_000 };
  for (let index = 0; index < 20; index += 1) await bench.open(`t${index}`, { key: `fulfillment:${index}` });
  expect(bench.stub.rejected()).toBe(0);
  await expect(bench.open("t20", { key: "fulfillment:20" })).rejects.toMatchObject({
    code: "target_rate_limited",
  });
});
