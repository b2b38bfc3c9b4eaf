import { expect, it } from "vitest";
import { keptOperations } from "../../../src/flows/kept-operations.ts";
import type { Operation } from "../../../src/model/operation.ts";

it("operations are kept without the configuration's secrets, wherever one stands in them", () => {
  const operation: Operation = {
    name: "ticket.update",
    input: {
      key: "f:1",
      subject: "see https://hooks.example/s3cret-path/x",
      customFields: { token: "s3cret-path-2", n: 4 },
    },
  };
  expect(keptOperations([operation], ["s3cret-path", "s3cret-path-2", "f:1"])).toEqual([
    {
      name: "ticket.update",
      input: { key: "f:1", subject: "see https://hooks.example/***/x", customFields: { token: "***", n: 4 } },
    },
  ]);
});
