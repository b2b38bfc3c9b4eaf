import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ticket } from "../../src/desk/schema-ticket.ts";
import { routes } from "../../src/desk/plugin.ts";
import { scopes } from "../../src/desk/scope.ts";
import { errorCatalogue } from "../../src/errors.ts";
import { commandsIn, requestOf } from "../support/curl.ts";
import type { DeskStand } from "../support/desk.ts";
import { openDeskStand } from "../support/desk.ts";

const page = readFileSync(join(import.meta.dirname, "../../docs/reference/support-api.md"), "utf8");
const commands = commandsIn(page, "desk");
let stand: DeskStand;

beforeAll(async () => {
  stand = await openDeskStand();
});
afterAll(() => stand.close());

describe("the reference page of the Support API", () => {
  it("has examples that work, one after the other, on a new desk", async () => {
    expect(commands.length).toBeGreaterThan(10);
    for (const command of commands) {
      const answer = await stand.send(requestOf(command, "$DESK"));
      expect([command, answer.status < 300, answer.status < 300 ? "" : answer.text]).toEqual([
        command,
        true,
        "",
      ]);
    }
  });

  it("shows a ticket as it is answered", async () => {
    const shown = /answers 201 with the ticket:\n\n```json\n([\s\S]*?)```/.exec(page)?.[1];
    const example = ticket.parse(JSON.parse(shown ?? ""));
    const own = await openDeskStand();
    const first = commands.find((command) => command.startsWith("desk $DESK/v1/tickets -d"));
    const made = ticket.parse((await own.send(requestOf(first ?? "", "$DESK"))).json);
    await own.close();
    const { created_at, updated_at } = made;
    expect(made).toEqual({ ...example, created_at, updated_at });
  });

  it("names every route, scope and problem code", () => {
    const known = page.replaceAll(
      "`PUT` and `DELETE /v1/tickets/{id}/orders/{orderId}`",
      "`/v1/tickets/{id}/orders/{orderId}`",
    );
    const paths = routes
      .map(({ path }) => path)
      .filter((path) => !/^\/v1\/tickets\/by-ref\/\{source\}\/\{externalId\}\/./.test(path));
    expect(paths.length).toBeGreaterThan(15);
    for (const path of paths.filter((one) => one !== "/v1/key")) expect(known).toContain(`${path}\``);
    for (const scope of scopes) expect(page).toContain(`\`${scope}\``);
    const rows = [...page.matchAll(/^\| (\d{3}) \| (.+?) \|/gm)];
    expect(rows.length).toBeGreaterThan(8);
    for (const [, status, codes] of rows) {
      for (const [, code] of (codes ?? "").matchAll(/`(\w+)`/g)) {
        expect([code, errorCatalogue[code as keyof typeof errorCatalogue].status]).toEqual([
          code,
          Number(status),
        ]);
      }
    }
  });
});
