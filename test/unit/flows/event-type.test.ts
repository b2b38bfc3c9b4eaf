import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createEventEnvironments } from "../../../src/flows/event-type.ts";
import { eventTypes } from "../../../src/model/event.ts";
import { checkExpression, compileExpression } from "../../../src/sdk/expression.ts";
import type { ExpressionType } from "../../../src/sdk/expression-type.ts";

const environments = createEventEnvironments();

/** An expression for every field that can be reached, with the kind that it gives. */
function fieldsOf(type: ExpressionType, path: string): { path: string; kind: string }[] {
  if (typeof type === "string") return [{ path, kind: type === "string" ? "text" : type }];
  if (type.kind === "map") return [{ path, kind: "object" }];
  if (type.kind === "list") return [{ path, kind: "list" }, ...fieldsOf(type.of, `${path}[0]`)];
  return [
    { path, kind: "object" },
    ...Object.entries(type.fields).flatMap(([name, field]) => fieldsOf(field, `${path}.${name}`)),
  ];
}

describe("events as expressions see them", () => {
  test.each(eventTypes)("every field of %s can be named and has its type", (type) => {
    const environment = environments.of(type);
    const fields = fieldsOf(environment.variables.event!, "event");
    expect(fields.length).toBeGreaterThan(8);
    for (const { path, kind } of fields) {
      expect(checkExpression(path, environment)).toMatchObject({ ok: true, expression: { kind } });
    }
  });

  test("types with the same data share an environment", () => {
    expect(environments.of("order.created")).toBe(environments.of("order.updated"));
    expect(environments.of("order.created")).not.toBe(environments.of("order.held"));
  });

  test("any amount compares as the number that it is", () => {
    const environment = environments.of("order.created");
    const atLeast = compileExpression("event.data.order.total.minor >= 2000", environment);
    const above = compileExpression("event.data.order.total.minor > 500.5", environment);
    fc.assert(
      fc.property(fc.maxSafeInteger(), (minor) => {
        const bindings = environment.bind({ event: { data: { order: { total: { minor } } } } });
        expect(atLeast.evaluate(bindings)).toBe(minor >= 2000);
        expect(above.evaluate(bindings)).toBe(minor > 500.5);
      }),
    );
  });

  test("any score compares as the number that it is, whole or not", () => {
    const environment = environments.of("survey.submitted");
    const good = compileExpression(
      "event.data.survey.score >= 4 || event.data.survey.score == 3",
      environment,
    );
    fc.assert(
      fc.property(
        fc.oneof(fc.integer({ min: 0, max: 10 }), fc.double({ min: 0, max: 10, noNaN: true })),
        (score) => {
          const bindings = environment.bind({ event: { data: { survey: { score } } } });
          expect(good.evaluate(bindings)).toBe(score >= 4 || score === 3);
        },
      ),
    );
  });

  test("a field whose value is not what its schema says fails in words of ours", () => {
    const environment = environments.of("order.created");
    const expression = compileExpression("event.data.order.total.minor", environment);
    const bindings = environment.bind({
      event: { data: { order: { total: { minor: "ada@example.com" } } } },
    });
    expect(() => expression.evaluate(bindings)).toThrow(
      "`event.data.order.total.minor` failed: a field of the event has another type than its schema says.",
    );
  });
});
