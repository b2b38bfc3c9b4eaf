import connector from "../../connectors/http/index.ts";
import { operationNames } from "../../src/sdk/index.ts";
import { createTestContext, openDeskProxy, testDesk } from "../../src/sdk/testing/index.ts";
import { openExportReceiver } from "../support/sink-http.ts";

const others = operationNames.filter((name) => name !== "http.request");

// An endpoint is no desk: what the suite holds it to is that it does not say it were one. Its one operation has tests of its own.
testDesk({
  name: "http",
  open: async () => {
    const receiver = await openExportReceiver();
    const proxy = await openDeskProxy(receiver.url);
    const context = createTestContext();
    const { desk } = await connector.open(
      connector.config.parse({ url: proxy.url, keysRememberedHours: 24 }),
      context,
    );
    return {
      desk: desk!,
      proxy,
      ticket: async () => undefined,
      countTickets: async () => 0,
      countContacts: async () => 0,
      close: async () => {
        context.close();
        await proxy.close();
        await receiver.close();
      },
    };
  },
  without: Object.fromEntries(others.map((name) => [name, "an endpoint takes requests only"])),
});
