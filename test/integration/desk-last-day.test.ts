import { afterAll, beforeAll, expect, it } from "vitest";
import type { DeskStand } from "../support/desk.ts";
import { openDeskStand } from "../support/desk.ts";

let stand: DeskStand;
beforeAll(async () => {
  stand = await openDeskStand();
});
afterAll(() => stand.close());

it("the desk tells the figures of the last whole day, and none of today's", async () => {
  const ticket = {
    subject: "a late parcel",
    requester: { email: "jane@example.com" },
    message: { text: "?" },
  };
  const created = await stand.send({ method: "POST", path: "/v1/tickets", body: ticket });
  expect(created.status).toBe(201);
  const { id } = created.json as { readonly id: string };
  await stand.send({ method: "POST", path: `/v1/tickets/${id}/csat`, body: { score: 4, close: true } });
  expect(await stand.desk.lastDay()).toMatchObject({
    tickets: { created: 0, solved: 0, open: 0 },
    csat: { responses: 0, average: undefined },
  });
  stand.setNow(Date.now() + 86_400_000);
  const { tickets, seconds, csat } = await stand.desk.lastDay();
  expect(tickets).toEqual({ created: 1, solved: 1, open: 0 });
  expect(seconds.first_reply["0.5"]).toBeUndefined();
  expect(seconds.full_resolution["0.5"]).toBeLessThan(60);
  expect(csat).toEqual({ responses: 1, average: 4, good_share: 1 });
});
